-- stored_annotations: verdicts of people on single pairs, also those that a newer load corrected. Grain: one row per (annotator, query_key, passage_key, revision).
-- The view annotations has the verdicts in force.
create table stored_annotations (
    query_key integer not null,
    passage_key integer not null,
    relevant boolean, -- null: the annotator is unsure
    annotator varchar not null,
    sample_id varchar, -- the sample in which the pair was drawn
    note varchar,
    judged_at varchar, -- the time, as given in the annotator's file
    inclusion double, -- the chance with which the pair was drawn into its sample; null: as that of all others
    revision integer not null, -- the number of the load
    corrects boolean not null -- whether it replaces an older verdict of the annotator on the pair
);
