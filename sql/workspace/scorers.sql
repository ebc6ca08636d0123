-- scorers: the cross-encoders that have scored in this workspace. Grain: one row per scorer.
select
    model_id,
    path,
    fingerprint,
    settings::varchar as settings,
    (models.settings ->> 'max_length')::integer as max_length,
    models.settings ->> 'relevant_class' as relevant_class,
    models.settings ->> 'instruction' as instruction,
    models.settings ->> 'prompt_file' as prompt,
    coalesce(models.settings ->> 'backend', 'torch') as backend,
from models where "role" = 'cross-encoder' order by model_id;
