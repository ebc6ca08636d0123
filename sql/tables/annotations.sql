-- annotations: verdicts of people on single pairs. Grain: one row per (annotator, query_key, passage_key).
create table annotations (
    query_key integer not null,
    passage_key integer not null,
    relevant boolean not null,
    annotator varchar not null,
    sample_id varchar, -- the sample in which the pair was drawn
    note varchar,
    judged_at varchar -- the time, as given in the annotator's file
);
