-- counts: the queries of a run with labels or annotations, and how many of them trained the scorer. Grain: one row per call.
-- scored: candidates in the top-k that have a score. without_chance: annotated pairs that are left out, because other annotations say with which chance they were drawn.
with mined as (
    select distinct query_key from usable_candidates where run_id = $run
),
judged as (
    select distinct query_key from judgements
)
select
    count(*) as queries,
    count(*) filter (where seen.query_key is not null) as seen,
    (
        select count(*)
        from usable_candidates as candidates
        semi join scores
            on scores.scorer_id = $scorer
            and scores.query_key = candidates.query_key
            and scores.passage_key = candidates.passage_key
        where candidates.run_id = $run and candidates.rank <= $depth
    ) as scored,
    (
        select if(bool_or(is_said), count(*) filter (where not is_said), 0)
        from (
            select annotations.query_key, annotations.passage_key, count(annotations.inclusion) > 0 as is_said
            from annotations
            group by annotations.query_key, annotations.passage_key
        ) as pairs
        semi join (select * from judgements where source = 'annotation') as decided
            on decided.query_key = pairs.query_key and decided.passage_key = pairs.passage_key
    ) as without_chance,
from mined
semi join judged on judged.query_key = mined.query_key
left join (select query_key from seen_queries where scorer_id = $scorer) as seen on seen.query_key = mined.query_key;
