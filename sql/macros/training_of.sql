-- training_of: the job that trained a model, from the model's path in the workspace; null for other paths. Grain: one value per call.
create or replace macro training_of(path) as
    'train-' || nullif(regexp_extract(path, '^(?:\./)?models/([^/]+)/?$', 1), '');
