-- candidates: the passages that the retrievers found. Grain: one row per (run_id, query_key, passage_key).
create table candidates (
    run_id varchar not null,
    query_key integer not null,
    passage_key integer not null,
    rank integer not null, -- from 1; equal scores are in the order of passage_key
    score float not null -- the retriever's own score, comparable only within a run
);
