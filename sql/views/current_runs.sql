-- current_runs: the run of each split that is used if none is named. Grain: one row per split that has a run.
-- It is the one chosen with `curate use`, else the one denoised last, else the newest. Augmenting denoises a run, too.
create or replace view current_runs as
with chosen as (
    select subject as split, name as run_id from choices
    qualify row_number() over (partition by subject order by number desc) = 1
),
denoised as (
    select settings ->> 'run' as run_id, max(number) as number from stages where stage = 'denoise' group by all
)
select
    runs.split,
    runs.run_id,
    case
        when chosen.run_id is not null then 'chosen'
        when denoised.number is not null then 'denoised last'
        else 'newest'
    end as because,
from runs
left join chosen on chosen.split = runs.split and chosen.run_id = runs.run_id
left join denoised on denoised.run_id = runs.run_id
qualify
    row_number() over (
        partition by runs.split
        order by (chosen.run_id is null), denoised.number desc nulls last, runs.round desc, runs.run_id
    ) = 1;
