-- stored_queries: the queries as they were loaded. Grain: one row per query.
create table stored_queries (
    query_key integer not null, -- 0..N-1 in load order
    query_id varchar not null, -- the id in the user's file
    text varchar not null,
    text_hash ubigint not null, -- hash of the text, as in passages
    split varchar -- the split of its file (unlabeled, dev, test) or null; see views/queries.sql
);
