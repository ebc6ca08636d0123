-- models: the encoders and cross-encoders, and the ranks that are scores. Grain: one row per model_id.
-- A model has several rows in stored_models if several jobs used it, for example after one of them was killed.
create or replace view models as
select model_id, "role", path, fingerprint, settings
from stored_models
qualify row_number() over (partition by model_id order by path) = 1;
