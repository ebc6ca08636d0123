-- left_unscored: how many candidates of a run are unscored because their query has enough hard negatives at better ranks. Grain: one row per call.
with placed as (
    select
        found.decision,
        cutoffs.enough,
        count(*) filter (where found.decision = 'hard_negative') over (
            partition by found.query_key order by found."rank" rows unbounded preceding
        ) as hard_negatives,
    from found
    inner join cutoffs on cutoffs.name = found.cutoffs
    where found.cutoffs = $cutoffs and found.run_id = $run
)
select count(*) as candidates from placed where decision = 'unscored' and hard_negatives >= enough;
