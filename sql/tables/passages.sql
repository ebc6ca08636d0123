-- passages: the collection. Grain: one row per passage.
create table passages (
    passage_key integer not null, -- 0..N-1 in load order; also the row in the embeddings
    passage_id varchar not null, -- the id in the user's file
    title varchar not null, -- '' if there is none
    text varchar not null,
    text_hash ubigint not null -- hash of title and text, as models read them (curate/text_hash.py)
);
