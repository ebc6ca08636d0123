-- judge_queries: the labelled queries of each cross-encoder that was trained here. Grain: one row per (training, query_key).
-- A cross-encoder is measured and calibrated on queries that it was not trained on.
create table judge_queries (
    training varchar not null, -- the job that trained it
    query_key integer not null,
    fold integer -- the judge of this number was not trained on the query, and scores it; null: every judge was trained on it, or it chose the weights
);
