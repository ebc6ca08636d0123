-- annotations_outcomes: the outcome of each annotation. Grain: one row per line of the current load (arrivals).
-- reason is null for a line that is accepted, for one that repeats its annotator's verdict in force (repeated), and
-- for one that replaces it (corrects). Of an annotator's verdicts on a pair, the newest by judged_at counts, within a
-- load and beside the one in force: an older one counts as repeated. The same verdict replaces the one in force if it
-- names a sample that this does not name. Verdicts of a load without a time, or of the same time, must agree.
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
        try_cast(arrivals.judged_at as timestamptz) as judged,
    from arrivals
    left join stored_queries on stored_queries.query_id = arrivals.query_id
    left join passages on passages.passage_id = arrivals.passage_id
),
compared as (
    select
        number,
        first_value(number) over pair <> number as repeated,
        first_value(relevant) over pair as first_relevant,
        first_value(judged) over pair > judged as is_older,
    from placed
    where reason is null
    window pair as (partition by annotator, query_key, passage_key order by judged desc nulls last, number)
)
select
    placed.* exclude (reason, judged),
    annotations.relevant is not distinct from placed.relevant
    and coalesce(placed.sample_id = annotations.sample_id, placed.sample_id is null) as is_same,
    annotations.annotator is not null and not is_same as corrects,
    coalesce(compared.repeated, false)
    or (annotations.annotator is not null and is_same)
    or coalesce(placed.judged < try_cast(annotations.judged_at as timestamptz), false) as repeated,
    case
        when
            compared.number is not null
            and compared.first_relevant is distinct from placed.relevant
            and not coalesce(compared.is_older, false)
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
