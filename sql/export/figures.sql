-- figures: the audit of a whole export; with $needed, the format cannot hold queries without negatives. Grain: one row per figure.
with totals as (
    select figure, if(figure = 'positives_of_one_query', max(amount), sum(amount))::bigint as amount
    from export_audits
    group by figure
)
select figure, amount from totals
union all
select 'queries_left_out', coalesce(sum(amount), 0)::bigint
from totals
where $needed and figure = 'queries_without_negatives'
union all
select 'queries_leaked', count(*)
from queries
anti join training_queries on training_queries.query_key = queries.query_key
where
    queries.split = 'train'
    or ($augmented and queries.split = 'unlabeled')
    or queries.query_key in (select query_key from stored_qrels where split = 'train');
