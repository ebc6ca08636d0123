-- counts: the outcome of augmentation for the unlabeled queries. Grain: one row per call ($cutoffs, $run).
with asked as (
    select
        query_key,
        query_key in (select query_key from leaked_queries) as leaked,
        query_key in (select query_key from positives) as annotated,
    from queries
    where split = 'unlabeled'
),
mined as (
    select distinct query_key from candidates where run_id = $run
),
labelled as (
    select query_key, count(*) as positives
    from pseudo_labels where cutoffs = $cutoffs and run_id = $run
    group by query_key
),
negatives as (
    select count(*) as hard_negatives
    from found
    semi join labelled on labelled.query_key = found.query_key
    where found.cutoffs = $cutoffs and found.run_id = $run and found.decision = 'hard_negative'
)
select
    count(*) as queries,
    count(*) filter (where leaked) as asked_by_dev_or_test,
    count(*) filter (where not leaked and mined.query_key is null) as without_candidates,
    count(*) filter (where labelled.query_key is not null) as pseudo_labelled,
    count(*) filter (
        where not leaked and not annotated and mined.query_key is not null and labelled.query_key is null
    ) as without_positive,
    coalesce(sum(labelled.positives), 0)::bigint as pseudo_positives,
    (select hard_negatives from negatives) as hard_negatives,
from asked
left join mined on mined.query_key = asked.query_key
left join labelled on labelled.query_key = asked.query_key;
