-- qrels: what the user's label files say. Grain: one row per judged (query_key, passage_key).
create table qrels (
    query_key integer not null,
    passage_key integer not null,
    relevance integer not null, -- above 0 is relevant; 0 and below is judged not relevant
    split varchar not null, -- train, dev or test
    source varchar not null -- the name of the file
);
