-- sample_pairs: the pairs of a sample. Grain: one row per (sample_id, query_key, passage_key).
-- Annotators see the texts, and nothing else of this.
create table sample_pairs (
    sample_id varchar not null,
    query_key integer not null,
    passage_key integer not null,
    stratum integer not null,
    rank integer not null,
    probability float, -- by the scorer then; null: unscored
    inclusion double not null -- the chance with which the pair was drawn: that of its query, times its own among those of its stratum
);
