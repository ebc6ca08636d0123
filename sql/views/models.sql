-- models: encoders and cross-encoders. Grain: one row per model_id.
-- A job that was killed and another that met the same model may both have written its row.
create or replace view models as
select model_id, "role", path, fingerprint, settings
from stored_models
qualify row_number() over (partition by model_id order by path) = 1;
