-- samples: the samples of pairs that people are to judge, each drawn from a run as it was decided on then. Grain: one row per sample.
-- The population of a sample: candidates within the judged depth that neither people nor their text had decided.
create table samples (
    sample_id varchar not null, -- the name that its user gave it
    run_id varchar not null,
    cutoffs varchar not null, -- the name of the cutoffs
    depth integer not null, -- the top-k, and the two cutoffs, as they were then
    negative_below float not null,
    positive_above float not null,
    seed integer not null,
    queries integer not null, -- that have a pair in the population
    drawn_queries integer not null,
    pairs bigint not null, -- of the population
    drawn_pairs integer not null
);
