-- evidence: lines of JSON with ids, sources and probabilities. Grain: one row per query with negatives.
with rows as (
    select
        query_key,
        arg_min(
            {'passage_id': passage_id, 'probability': probability::varchar::json, 'positive_source': positive_source},
            place,
            999999
        ) filter (where label = 1) as positives,
        arg_min(
            {'passage_id': passage_id, 'probability': probability::varchar::json, 'negative_source': negative_source},
            place,
            999999
        ) filter (where label = 0) as negatives,
    from export_passages
    where not repeated
    group by query_key
    having count(*) filter (where label = 0) > 0
)
select
    to_json({
        'query_id': queries.query_id, 'positives': rows.positives, 'negatives': rows.negatives
    })::varchar || chr(10) as line
from export_queries as queries
inner join rows on rows.query_key = queries.query_key
order by queries.query_key;
