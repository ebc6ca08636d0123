-- stored_models: every encoder, cross-encoder and ranking that produced rows in this workspace. Grain: one row per (job, model fingerprint).
create table stored_models (
    model_id varchar not null, -- name and the first 8 digits of the fingerprint
    role varchar not null, -- encoder, cross-encoder or ranks
    path varchar not null, -- the folder or hub name from which it was read; of ranks, what has them
    fingerprint varchar not null, -- sha256 over weights, tokenizer and settings
    settings json not null -- pooling, prompts, template, max_length, dtype, device class
);
