-- sample_strata: the parts of a sample's population, from each of which pairs were drawn by chance. Grain: one row per (sample_id, stratum).
-- A stratum has the pairs of one decision in one range of ranks.
create table sample_strata (
    sample_id varchar not null,
    stratum integer not null, -- 0, 1, ...
    decision varchar not null, -- hard_negative, uncertain, false_negative, pseudo_positive or unscored, by the scorer then
    first_rank integer not null,
    last_rank integer not null,
    pairs bigint not null, -- of the population
    probability double, -- the mean of theirs; null: unscored
    in_drawn_queries bigint not null, -- those of them whose query was drawn
    drawn integer not null -- those of them that were drawn
);
