-- stored_qrels: the labels in the user's files, also those that a newer load corrected. Grain: one row per (query_key, passage_key, split, revision).
-- The view qrels has the labels in force.
create table stored_qrels (
    query_key integer not null,
    passage_key integer not null,
    relevance integer not null, -- above 0: relevant; 0 or below: judged not relevant
    split varchar not null, -- train, dev or test
    source varchar not null, -- the name of the file
    revision integer not null, -- the number of the load
    corrects boolean not null -- whether it replaces an older label of the pair
);
