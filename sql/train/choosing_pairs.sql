-- choosing_pairs: the pairs by which the weights of a judge are chosen, with their texts. Grain: one row per (query_key, passage_key).
-- Of each query in `asked`: the top 20 of the run, and up to three positives, whether the run found them or not.
with labelled as (
    select positives.query_key, positives.passage_key
    from positives
    semi join asked on asked.query_key = positives.query_key
    inner join queries on queries.query_key = positives.query_key
    inner join passages on passages.passage_key = positives.passage_key
    qualify row_number() over (
        partition by positives.query_key order by draw($seed, queries.query_id, passages.passage_id), positives.passage_key
    ) <= 3
),
others as (
    select query_key, passage_key
    from usable_candidates
    semi join asked using (query_key)
    anti join positives using (query_key, passage_key)
    anti join duplicates using (query_key, passage_key)
    where run_id = $run and "rank" <= 20
),
pairs as (
    select query_key, passage_key, true as relevant from labelled
    union all
    select query_key, passage_key, false as relevant from others
)
select pairs.relevant, queries.text as query, passage_text(passages.title, passages.text) as passage
from pairs
inner join queries on queries.query_key = pairs.query_key
inner join passages on passages.passage_key = pairs.passage_key
order by pairs.query_key, pairs.passage_key;
