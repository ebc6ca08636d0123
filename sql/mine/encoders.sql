-- encoders: the encoders that have embedded in this workspace before. Grain: one row per fingerprint.
select fingerprint, any_value(settings::varchar) as settings from models where role = 'encoder' group by fingerprint order by fingerprint;
