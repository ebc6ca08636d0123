-- pairs: the pairs that a model is examined with, and their passages. Grain: one row per (query_key, passage_key).
-- For each query in `asked`: $positives labelled positives, the first $found candidates of the current run, and $random
-- passages drawn by chance that are neither found for it nor have the text of a positive.
with current as (
    select found.query_key, found.passage_key, found."rank"
    from usable_candidates as found
    inner join current_runs on current_runs.run_id = found.run_id
    semi join asked on asked.query_key = found.query_key
),
labelled as (
    select positives.query_key, positives.passage_key, 'positive' as kind
    from positives
    semi join asked on asked.query_key = positives.query_key
    inner join passages on passages.passage_key = positives.passage_key
    qualify
        row_number() over (
            partition by positives.query_key
            order by draw(0, passages.passage_id, 'doctor'), positives.passage_key
        ) <= $positives
),
candidates_on_top as (
    select query_key, passage_key, 'candidate' as kind
    from current
    anti join positives on positives.query_key = current.query_key and positives.passage_key = current.passage_key
    where "rank" <= $found
),
drawn as (
    select distinct
        asked.query_key,
        (draw(numbers.number, queries.query_id, 'doctor') % sizes.passages)::integer as passage_key,
        'random' as kind,
    from asked
    inner join queries on queries.query_key = asked.query_key
    cross join (select unnest(range($random)) as number) as numbers
    cross join (select (max(passage_key) + 1)::uhugeint as passages from passages) as sizes
),
random as (
    select drawn.*
    from drawn
    anti join current on current.query_key = drawn.query_key and current.passage_key = drawn.passage_key
    anti join positives on positives.query_key = drawn.query_key and positives.passage_key = drawn.passage_key
    anti join duplicates on duplicates.query_key = drawn.query_key and duplicates.passage_key = drawn.passage_key
),
pairs as (
    from labelled
    union all
    from candidates_on_top
    union all
    from random
)
select
    pairs.query_key,
    pairs.passage_key,
    pairs.kind,
    passage_text(passages.title, passages.text) as passage,
from pairs
inner join passages on passages.passage_key = pairs.passage_key
order by pairs.query_key, pairs.passage_key;
