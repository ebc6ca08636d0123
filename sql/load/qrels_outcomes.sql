-- qrels_outcomes: the outcome of each line of qrels. Grain: one row per line of the current load (arrivals).
-- reason is null for a line that is accepted, and for one that repeats a known label (repeated).
-- A query belongs to the split in which it was first judged; unlabeled queries have no judgements.
create or replace temp table outcomes as
with keyed as (
    select arrivals.*, stored_queries.query_key, passages.passage_key
    from arrivals
    left join stored_queries on stored_queries.query_id = arrivals.query_id
    left join passages on passages.passage_id = arrivals.passage_id
),
claims as (
    select query_key, split, -2 as number from stored_queries where split is not null
    union all
    select query_key, split, -1 as number from qrels
    union all
    select query_key, split, number from keyed where query_key is not null and passage_key is not null
),
splits as (
    select query_key, arg_min(split, number) as split from claims group by query_key
),
placed as (
    select
        keyed.*,
        case
            when keyed.query_key is null then concat('unknown query id: ', query_id)
            when passage_key is null then concat('unknown passage id: ', passage_id)
            when splits.split = 'unlabeled' then concat('unlabeled query is judged: here in the split ', keyed.split)
            when splits.split <> keyed.split
                then concat('query in two splits: ', splits.split, ' before, ', keyed.split, ' here')
        end as reason,
    from keyed
    left join splits on splits.query_key = keyed.query_key
),
said as (
    select qrels.query_key, qrels.passage_key, qrels.relevance, -1 as number
    from qrels
    semi join placed on placed.query_key = qrels.query_key and placed.passage_key = qrels.passage_key
    union all
    select query_key, passage_key, relevance, number from placed where reason is null
),
compared as (
    select number, first_value(number) over pair as first_number, first_value(relevance) over pair as first_relevance
    from said
    window pair as (partition by query_key, passage_key order by number)
)
select
    placed.* exclude (reason),
    coalesce(compared.first_number <> compared.number, false) as repeated,
    case
        when compared.first_relevance <> placed.relevance
            then concat('conflicting relevance: ', compared.first_relevance, ' before, ', placed.relevance, ' here')
        else placed.reason
    end as reason,
from placed
left join compared on compared.number = placed.number and compared.number >= 0;
