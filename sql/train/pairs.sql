-- pairs: the pairs of all groups with their texts, in the order of training. Grain: one row per (group_number, slot).
select
    train_groups.group_number::integer as group_number,
    train_groups.slot::integer as slot,
    train_groups.kind,
    queries.query_id,
    passages.passage_id,
    queries.text as query,
    passage_text(passages.title, passages.text) as passage,
from train_groups
inner join queries on queries.query_key = train_groups.query_key
inner join passages on passages.passage_key = train_groups.passage_key
order by group_number, slot;
