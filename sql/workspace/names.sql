-- names: what is in columns that hold few different names. Grain: one row per name of a column and value.
with named (column_name, name) as (
    select 'run_id' as column_name, run_id as name from runs
    union
    select 'retriever' as column_name, retriever as name from runs
    union
    select 'split' as column_name, split as name from runs
    union
    select 'cutoffs' as column_name, name from cutoffs
    union
    select 'scorer_id' as column_name, model_id as name from models where role <> 'encoder'
    union
    select 'model_id' as column_name, model_id as name from models
    union
    select 'calibration_id' as column_name, calibration_id as name from calibrations
)
select column_name, name
from named
where name is not null
order by column_name, name;
