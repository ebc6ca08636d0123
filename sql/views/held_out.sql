-- held_out: the queries that a file of dev or test names, and which of the two holds them. Grain: one row per query.
-- They never train, whatever else names them, in whatever order it was loaded. Test outranks dev, because dev
-- selects models.
create or replace view held_out as
with named as (
    select query_key, split from stored_qrels
    union all
    select query_key, split from stored_queries
    union all
    select stored_queries.query_key, claims.split
    from claims
    inner join stored_queries on stored_queries.query_id = claims.query_id
)
select query_key, max(split) as split -- 'test' is the greater of the two
from named
where split in ('dev', 'test')
group by query_key;
