-- sides: the decisions of the two sides of a comparison. Grain: one row per (side, query_key, passage_key).
-- side: 1 or 2. They differ in their run, or in their cutoffs.
-- Parameters: $first_run, $first_cutoffs, $second_run, $second_cutoffs.
create or replace temp table sides as
select 1::utinyint as side, query_key, passage_key, "rank", decision, decided_by
from found
where cutoffs = $first_cutoffs and run_id = $first_run
union all
select 2, query_key, passage_key, "rank", decision, decided_by
from found
where cutoffs = $second_cutoffs and run_id = $second_run;
