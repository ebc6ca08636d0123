-- own_copies: passages that are a query's own text, under the query's own id. Grain: one row per (query_key, passage_key).
-- The collection holds its own questions, as ArguAna and Quora do. A retriever would find a query itself first.
create table own_copies (
    query_key integer not null,
    passage_key integer not null
);
