-- training_of: the job that made a model, by its path in the workspace; null elsewhere. Grain: one value per call.
create or replace macro training_of(path) as
    'train-' || nullif(regexp_extract(path, '^(?:\./)?models/([^/]+)/?$', 1), '');
