-- claims: queries that a row of dev or test names although the row was not stored. Grain: one row per (query_id, split, text_hash) and load.
-- The row was rejected, or it repeats a query that is known already. Its query is held out all the same
-- (views/held_out.sql),
-- and so is its text (views/training_queries.sql).
create table claims (
    query_id varchar not null, -- maybe of a query that is not loaded yet
    split varchar not null, -- dev or test
    text_hash ubigint -- of the text in the row, as in queries; null if the row has none
);
