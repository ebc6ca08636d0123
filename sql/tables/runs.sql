-- runs: the runs, each of which holds one retriever's ranked lists. Grain: one row per run.
create table runs (
    run_id varchar not null,
    retriever varchar not null, -- bm25, dense, hybrid, or trec for a run made elsewhere
    split varchar not null, -- the split of the queries: train, dev, test or unlabeled
    depth integer not null, -- the maximum number of passages per query (hybrid: from each source)
    queries integer not null,
    language varchar, -- the language whose stemmer BM25 used, or none (bm25, hybrid)
    model_id varchar, -- the encoder (dense)
    index varchar, -- 'exact', or the faiss factory string (dense)
    recall double, -- recall@depth of an approximate index against exact search, on a sample of the queries
    sources varchar[] not null, -- the runs that a hybrid run unites; otherwise empty
    round integer not null -- 1, 2, ... in the order in which the runs were made
);
