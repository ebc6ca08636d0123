-- annotations_outcomes: the outcome of each annotation. Grain: one row per line of the current load (arrivals).
-- reason is null for a line that is accepted, and for one that repeats its annotator's earlier verdict (repeated).
create or replace temp table outcomes as
with placed as (
    select
        arrivals.*,
        stored_queries.query_key,
        passages.passage_key,
        case
            when stored_queries.query_key is null then concat('unknown query id: ', arrivals.query_id)
            when passages.passage_key is null then concat('unknown passage id: ', arrivals.passage_id)
        end as reason,
    from arrivals
    left join stored_queries on stored_queries.query_id = arrivals.query_id
    left join passages on passages.passage_id = arrivals.passage_id
),
said as (
    select annotator, query_key, passage_key, relevant, -1 as number from annotations
    union all
    select annotator, query_key, passage_key, relevant, number from placed where reason is null
),
compared as (
    select number, first_value(number) over pair as first_number, first_value(relevant) over pair as first_relevant
    from said
    window pair as (partition by annotator, query_key, passage_key order by number)
)
select
    placed.* exclude (reason),
    coalesce(compared.first_number <> compared.number, false) as repeated,
    case
        when compared.first_relevant <> placed.relevant
            then concat('conflicting verdict of one annotator: ', compared.first_relevant, ' before, ', placed.relevant, ' here')
        else placed.reason
    end as reason,
from placed
left join compared on compared.number = placed.number and compared.number >= 0;
