-- qrels: the labels in the user's files. Grain: one row per judged (query_key, passage_key).
create table qrels (
    query_key integer not null,
    passage_key integer not null,
    relevance integer not null, -- above 0: relevant; 0 or below: judged not relevant
    split varchar not null, -- train, dev or test
    source varchar not null -- the name of the file
);
