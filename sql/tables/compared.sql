-- compared: positives that were compared with the candidates of their query. Grain: one row per (run_id, query_key, positive_key, depth).
-- Pairs without a row in resemblances were either not compared, or they have little in common.
create table compared (
    run_id varchar not null,
    query_key integer not null,
    positive_key integer not null,
    depth integer not null -- the top-k of the run that was compared
);
