-- held_out: how many queries are held out although something else would let them train. Grain: one row per kind.
with labelled as (
    select distinct query_key, split from stored_qrels
)
select 'labelled in train too' as kind, count(*) as queries
from held_out
semi join labelled on labelled.query_key = held_out.query_key and labelled.split = 'train'
union all
select 'named only by rejected or repeated rows', count(*)
from held_out
inner join stored_queries on stored_queries.query_key = held_out.query_key
anti join labelled on labelled.query_key = held_out.query_key and labelled.split in ('dev', 'test')
where stored_queries.split is null or stored_queries.split = 'unlabeled';
