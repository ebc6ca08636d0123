-- stored_cutoffs: every setting that the cutoffs ever had. Grain: one row per (name, revision).
create table stored_cutoffs (
    name varchar not null,
    revision integer not null, -- the highest one of a name counts
    scorer_id varchar not null, -- the scorer whose probabilities these cutoffs judge
    depth integer not null, -- the top-k that is judged: candidates at deeper ranks stay out of reports and exports
    negative_below float not null, -- strict: a candidate at this probability is no negative
    positive_above float not null, -- strict
    pseudo_positives varchar not null -- 'best': one a query (RocketQA); 'all': every one above
);
