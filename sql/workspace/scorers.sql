-- scorers: the models, and the ranks, that have scored in this workspace. Grain: one row per scorer.
select
    model_id,
    "role",
    path,
    fingerprint,
    settings::varchar as settings,
    (models.settings ->> 'max_length')::integer as max_length,
    models.settings ->> 'relevant_class' as relevant_class,
    models.settings ->> 'instruction' as instruction,
    models.settings ->> 'prompt_file' as prompt,
    coalesce(models.settings ->> 'backend', 'torch') as backend,
from models where "role" in ('cross-encoder', 'ranks') order by model_id;
