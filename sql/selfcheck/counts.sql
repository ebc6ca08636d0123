-- counts: how many labelled positives are hidden, and what becomes of the others. Grain: one row.
-- All are positives that the qrels name, of the run's split. seen_...: those of queries that trained the scorer, or one of
-- several. not_mined: those of queries without a candidate in the run. kept: those that stay, or whose query was not
-- drawn. not_found: hidden, and not in the judged depth; beyond: those of them that the run has at deeper ranks. by_text:
-- found, and known without a score by the text of a positive that stays, or of the query. unscored: found, without a score.
-- counted: found and decided by the scorer. queries: those with a hidden positive.
with labelled as (
    select positives.query_key, positives.passage_key
    from positives
    semi join (select query_key, passage_key from qrels where relevance > 0) as named
        on named.query_key = positives.query_key and named.passage_key = positives.passage_key
    inner join queries on queries.query_key = positives.query_key
    inner join runs on runs.run_id = $run and runs.split = queries.split
),
mined as (
    select distinct query_key from usable_candidates where run_id = $run
),
seen as (
    select query_key from seen_by_judges where cutoffs = $cutoffs
),
every as (
    select
        labelled.query_key,
        mined.query_key is not null as is_mined,
        seen.query_key is not null as is_seen,
        hidden.*  exclude (query_key, passage_key),
        hidden.query_key is not null as is_hidden,
    from labelled
    left join mined on mined.query_key = labelled.query_key
    left join seen on seen.query_key = labelled.query_key
    left join hidden on hidden.query_key = labelled.query_key and hidden.passage_key = labelled.passage_key
)
select
    count(*) as labelled,
    count(*) filter (where not is_mined) as not_mined,
    count(*) filter (where is_mined and is_seen) as seen,
    count(distinct query_key) filter (where is_mined and is_seen) as seen_queries,
    count(*) filter (where is_mined and not is_seen and not is_hidden) as kept,
    count(*) filter (where is_hidden) as hidden,
    count(distinct query_key) filter (where is_hidden) as queries,
    count(*) filter (where is_hidden and not is_found) as not_found,
    count(*) filter (where is_hidden and not is_found and "rank" is not null) as beyond,
    count(*) filter (where is_found and decided_by is not distinct from 'text') as by_text,
    count(*) filter (where is_found and decided_by is null) as unscored,
    count(*) filter (where is_found and decided_by is not distinct from 'scorer') as counted,
from every;
