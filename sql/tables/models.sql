-- stored_models: every encoder and cross-encoder that made a row here. Grain: one row per (job, model fingerprint).
create table stored_models (
    model_id varchar not null, -- name and the first 8 digits of the fingerprint
    role varchar not null, -- encoder or cross-encoder
    path varchar not null, -- the folder, or the hub name, that it was read from
    fingerprint varchar not null, -- sha256 over weights, tokenizer and settings
    settings json not null -- pooling, prompts, template, max_length, dtype, device class
);
