-- stored_models: every encoder and cross-encoder that produced rows in this workspace. Grain: one row per (job, model fingerprint).
create table stored_models (
    model_id varchar not null, -- name and the first 8 digits of the fingerprint
    role varchar not null, -- encoder or cross-encoder
    path varchar not null, -- the folder or hub name from which it was read
    fingerprint varchar not null, -- sha256 over weights, tokenizer and settings
    settings json not null -- pooling, prompts, template, max_length, dtype, device class
);
