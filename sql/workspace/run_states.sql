-- run_states: how far runs are scored, and what they lack of the collection of today. Grain: one row per run of $runs.
-- candidates and unscored count the ranks down to the depth of $cutoffs; without cutoffs they are 0.
-- passages_since: passages loaded after the run was made.
-- enough: the hard negatives after which a query of the run needs no more scores; null: it needs all.
-- because: why the run is the current one of its split; null: it is not. newest: the newest run of its split.
with counted as (
    select run_id, count(*) as candidates, count(*) filter (where decision = 'unscored') as unscored
    from found
    where cutoffs = $cutoffs and list_contains($runs, run_id)
    group by run_id
),
loads as (
    select number, (facts -> 'counts' ->> 'passages')::bigint as passages from stages where stage = 'load'
),
since as (
    select made.job as run_id, sum(loads.passages)::bigint as passages
    from stages as made
    inner join loads on loads.number > made.number
    where list_contains($runs, made.job)
    group by made.job
),
newest as (
    select split, arg_max(run_id, round) as run_id from runs group by split
)
select
    runs.run_id,
    runs.split,
    runs.retriever,
    runs.depth,
    runs.queries,
    current_runs.because,
    newest.run_id as newest,
    coalesce(counted.candidates, 0) as candidates,
    coalesce(counted.unscored, 0) as unscored,
    if(runs.split = 'train', (select enough from cutoffs where name = $cutoffs), null) as enough,
    coalesce(since.passages, 0) as passages_since,
from runs
inner join newest on newest.split = runs.split
left join current_runs on current_runs.run_id = runs.run_id
left join counted on counted.run_id = runs.run_id
left join since on since.run_id = runs.run_id
where list_contains($runs, runs.run_id)
order by runs.round, runs.run_id;
