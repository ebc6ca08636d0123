-- population: the candidates from which a sample is drawn: nobody and no text has decided about them. Grain: one row per (query_key, passage_key) (temp table population).
-- Duplicates of a positive are left out, because no annotator is needed to see what they are.
-- Parameters: $run, $cutoffs.
create or replace temp table population as
with ranges (first_rank, last_rank) as (
    values (1, 5), (6, 20), (21, 100), (101, 500), (501, 2147483647)
),
numbered as (
    select
        ranges.first_rank,
        least(ranges.last_rank, cutoffs.depth) as last_rank,
        decisions.decision,
        (row_number() over (order by decisions.place, ranges.first_rank) - 1)::integer as stratum,
    from ranges
    inner join cutoffs on cutoffs.name = $cutoffs and ranges.first_rank <= cutoffs.depth
    cross join (
        values
        ('false_negative', 1), ('pseudo_positive', 2), ('uncertain', 3), ('hard_negative', 4), ('unscored', 5)
    ) as decisions (decision, place)
)
select
    found.query_key,
    found.passage_key,
    found."rank",
    found.probability,
    numbered.stratum,
    numbered.decision,
    numbered.first_rank,
    numbered.last_rank,
from found
inner join numbered
    on numbered.decision = found.decision and found."rank" between numbered.first_rank and numbered.last_rank
where
    found.run_id = $run
    and found.cutoffs = $cutoffs
    and (found.decided_by = 'scorer' or found.decision = 'unscored');
