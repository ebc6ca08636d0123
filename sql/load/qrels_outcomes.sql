-- qrels_outcomes: the outcome of each line of qrels. Grain: one row per line of the current load (arrivals).
-- reason is null for a line that is accepted, for one that repeats the label in force (repeated), and for one that
-- replaces it (corrects). Within a load, two labels of a pair must agree.
-- A query that any line of dev or test names is held out, and other splits cannot have it. new_claims: the queries
-- that lines rejected earlier in this load name.
create or replace temp table outcomes as
with keyed as (
    select arrivals.*, stored_queries.query_key, stored_queries.split as file_split, passages.passage_key
    from arrivals
    left join stored_queries on stored_queries.query_id = arrivals.query_id
    left join passages on passages.passage_id = arrivals.passage_id
),
named as (
    select query_id, split from keyed where split <> 'train'
    union all
    select query_id, split from claims
    union all
    select query_id, split from new_claims
    union all
    select stored_queries.query_id, held_out.split
    from held_out
    inner join stored_queries on stored_queries.query_key = held_out.query_key
),
holders as (
    select query_id, max(split) as held_by from named group by query_id -- 'test' is greater than 'dev'
),
placed as (
    select
        keyed.* exclude (file_split),
        case
            when holders.held_by <> keyed.split
                then concat('query in two splits: ', holders.held_by, ' holds it out, ', keyed.split, ' here')
            when keyed.query_key is null then concat('unknown query id: ', keyed.query_id)
            when keyed.passage_key is null then concat('unknown passage id: ', keyed.passage_id)
            when keyed.split = 'train' and keyed.file_split = 'unlabeled'
                then 'unlabeled query is judged: here in the split train'
        end as reason,
    from keyed
    left join holders on holders.query_id = keyed.query_id
),
in_force as (
    select query_key, passage_key, split, arg_max(relevance, revision) as relevance
    from stored_qrels
    semi join placed using (query_key, passage_key)
    group by query_key, passage_key, split
),
compared as (
    select
        number,
        first_value(number) over pair <> number as repeated,
        first_value(relevance) over pair as first_relevance,
    from placed
    where reason is null
    window pair as (partition by query_key, passage_key order by number)
)
select
    placed.* exclude (reason),
    in_force.relevance <> placed.relevance as corrects,
    coalesce(compared.repeated or in_force.relevance = placed.relevance, false) as repeated,
    case
        when compared.first_relevance <> placed.relevance
            then concat('conflicting relevance: ', compared.first_relevance, ' before, ', placed.relevance, ' here')
        else placed.reason
    end as reason,
from placed
left join compared on compared.number = placed.number
left join in_force
    on in_force.query_key = placed.query_key
    and in_force.passage_key = placed.passage_key
    and in_force.split = placed.split;
