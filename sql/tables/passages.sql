-- passages: the collection. Grain: one row per passage.
create table passages (
    passage_key integer not null, -- 0..N-1 in load order: also the row of the embeddings
    passage_id varchar not null, -- the id of the user's file
    title varchar not null, -- '' where there is none
    text varchar not null,
    text_hash ubigint not null -- of the text without case, punctuation and white space: equal texts share it
);
