-- pairs: the pairs of all groups with their texts, in the order of training. Grain: one row per (group_number, slot).
-- earlier: the probability by an earlier judge, null without one.
select
    train_groups.group_number::integer as group_number,
    train_groups.slot::integer as slot,
    train_groups.kind,
    queries.query_id,
    passages.passage_id,
    queries.text as query,
    passage_text(passages.title, passages.text) as passage,
    earlier_verdicts.probability as earlier,
from train_groups
inner join queries on queries.query_key = train_groups.query_key
inner join passages on passages.passage_key = train_groups.passage_key
left join earlier_verdicts
    on earlier_verdicts.query_key = train_groups.query_key
    and earlier_verdicts.passage_key = train_groups.passage_key
order by group_number, slot;
