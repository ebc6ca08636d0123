-- current_cutoffs: the cutoffs that apply if none are named. Grain: one row, or none before the first scores.
-- They are the ones chosen with `curate use --cutoffs`, else `default`, else the ones set last.
create or replace view current_cutoffs as
with chosen as (
    select name from choices where subject = 'cutoffs'
    qualify row_number() over (order by number desc) = 1
),
set_last as (
    select settings ->> 'name' as name, max(number) as number from stages where stage = 'cutoffs' group by all
)
select
    cutoffs.*,
    case
        when chosen.name is not null then 'chosen'
        when cutoffs.name = 'default' then 'default'
        else 'set last'
    end as because,
from cutoffs
left join chosen on chosen.name = cutoffs.name
left join set_last on set_last.name = cutoffs.name
qualify
    row_number() over (
        order by (chosen.name is null), (cutoffs.name <> 'default'), set_last.number desc nulls last, cutoffs.name
    ) = 1;
