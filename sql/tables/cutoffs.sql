-- stored_cutoffs: all settings of the cutoffs, past and present. Grain: one row per (name, revision).
create table stored_cutoffs (
    name varchar not null,
    revision integer not null, -- the highest revision of a name is in force
    scorer_id varchar, -- the scorer whose probabilities the cutoffs apply to; null: several do
    depth integer not null, -- the top-k that is judged; reports and exports leave out candidates at deeper ranks
    negative_below float not null, -- strict: a candidate with exactly this probability is not a negative
    positive_above float not null, -- strict: a candidate with exactly this probability is not a positive
    pseudo_positives varchar not null, -- 'best': one per query (RocketQA); 'all': every one above positive_above
    calibration_id varchar, -- the calibration that probabilities have; null: the sigmoid of the logit
    joined varchar, -- how the probabilities of several scorers become one: all, any or mean; null: there is one scorer
    judges struct(scorer_id varchar, calibration_id varchar)[], -- several scorers, each with its calibration; null: one
    enough integer, -- the hard negatives that are enough for a train query, which then needs no more scores; null: it needs all
    duplicate_above float not null -- strict: a candidate that resembles a positive by exactly this is no duplicate; 1: only exact copies are
);
