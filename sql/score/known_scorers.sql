-- known_scorers: cross-encoders that have scored in this workspace before. Grain: one row per model_id.
select distinct model_id, path, fingerprint, settings::varchar as settings from models where role = 'cross-encoder' order by model_id;
