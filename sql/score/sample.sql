-- sample: candidates at ranks up to $depth of a run, drawn by their keys, with their texts. Grain: one row per (query_key, passage_key).
-- half: 0 or 1, the half of all pairs, parted by hash, from which they are drawn; by default both.
with drawn as (
    select query_key, passage_key
    from usable_candidates
    where run_id = $run and "rank" <= $depth
        and ($half is null or draw(1, query_key, passage_key) % 2 = $half)
    order by draw(0, query_key, passage_key), query_key, passage_key
    limit $pairs
)
select queries.text as query, passage_text(passages.title, passages.text) as passage
from drawn
inner join queries on queries.query_key = drawn.query_key
inner join passages on passages.passage_key = drawn.passage_key
order by drawn.query_key, drawn.passage_key;
