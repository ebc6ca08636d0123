-- stored_cutoffs: all settings of the cutoffs, past and present. Grain: one row per (name, revision).
create table stored_cutoffs (
    name varchar not null,
    revision integer not null, -- the highest revision of a name is in force
    scorer_id varchar not null, -- the scorer whose probabilities the cutoffs apply to
    depth integer not null, -- the top-k that is judged; reports and exports leave out candidates at deeper ranks
    negative_below float not null, -- strict: a candidate with exactly this probability is not a negative
    positive_above float not null, -- strict: a candidate with exactly this probability is not a positive
    pseudo_positives varchar not null, -- 'best': one per query (RocketQA); 'all': every one above positive_above
    calibration_id varchar -- the calibration that probabilities have; null: the sigmoid of the logit
);
