-- training_of: the job that trained a model, from the model's path in the workspace; null for other paths. Grain: one value per call.
-- models/NAME/fold-1 is one of several judges that score as one (curate/models/fold_scorer.py).
create or replace macro training_of(path) as
    'train-' || replace(nullif(regexp_extract(path, '^(?:\./)?models/([^/]+(?:/fold-[0-9]+)?)/?$', 1), ''), '/', '+');
