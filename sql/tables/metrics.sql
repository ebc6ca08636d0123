-- metrics: how well a run answers each judged query. Grain: one row per (run_id, metric, query_key).
create table metrics (
    run_id varchar not null,
    metric varchar not null, -- MRR@10 (a query's reciprocal rank), nDCG@10, MAP (its average precision), Recall@k
    query_key integer not null,
    value double not null -- 0 for a query without candidates in the run
);
