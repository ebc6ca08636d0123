-- left_unscored: how many candidates of a run are unscored because their query has enough hard negatives for training at better ranks. Grain: one row per call.
with satisfied as (
    select query_key, "rank"
    from usable_negatives($run, $cutoffs)
    qualify row_number() over (partition by query_key order by "rank") = enough_for($run, $cutoffs)
)
select count(*) as candidates
from found
inner join satisfied on satisfied.query_key = found.query_key and satisfied."rank" < found."rank"
where found.cutoffs = $cutoffs and found.run_id = $run and found.decision = 'unscored';
