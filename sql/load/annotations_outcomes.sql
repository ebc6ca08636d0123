-- annotations_outcomes: the outcome of each annotation. Grain: one row per line of the current load (arrivals).
-- reason is null for a line that is accepted, for one that repeats its annotator's verdict in force (repeated), and
-- for one that replaces it (corrects). Within a load, the verdicts of an annotator on a pair must agree.
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
compared as (
    select
        number,
        first_value(number) over pair <> number as repeated,
        first_value(relevant) over pair as first_relevant,
    from placed
    where reason is null
    window pair as (partition by annotator, query_key, passage_key order by number)
)
select
    placed.* exclude (reason),
    annotations.annotator is not null and annotations.relevant is distinct from placed.relevant as corrects,
    coalesce(compared.repeated, false)
    or (annotations.annotator is not null and annotations.relevant is not distinct from placed.relevant) as repeated,
    case
        when compared.number is not null and compared.first_relevant is distinct from placed.relevant
            then concat(
                'conflicting verdict of one annotator: ',
                coalesce(compared.first_relevant::varchar, 'unsure'),
                ' before, ',
                coalesce(placed.relevant::varchar, 'unsure'),
                ' here'
            )
        else placed.reason
    end as reason,
from placed
left join compared on compared.number = placed.number
left join annotations
    on annotations.annotator = placed.annotator
    and annotations.query_key = placed.query_key
    and annotations.passage_key = placed.passage_key;
