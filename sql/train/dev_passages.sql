-- dev_passages: the passages that the queries in `asked` search. Grain: one row per passage.
-- They are the positives of these queries, and $passages more drawn by hash. relevant_to: the places, from 0, of
-- the queries that the passage answers. copy_of: the place of the query that the passage is a copy of, else null.
with answers as (
    select positives.passage_key, array_agg(asked.place order by asked.place) as relevant_to
    from positives
    inner join asked on asked.query_key = positives.query_key
    group by positives.passage_key
),
others as (
    select passage_key from passages order by draw($seed, passage_id, 'dev'), passage_key limit $passages
),
chosen as (
    select passage_key from answers
    union
    select passage_key from others
),
copies as (
    select own_copies.passage_key, asked.place as copy_of
    from own_copies
    inner join asked on asked.query_key = own_copies.query_key
)
select
    passages.passage_key,
    passage_text(passages.title, passages.text) as text,
    coalesce(answers.relevant_to, []) as relevant_to,
    copies.copy_of,
from chosen
inner join passages on passages.passage_key = chosen.passage_key
left join answers on answers.passage_key = chosen.passage_key
left join copies on copies.passage_key = chosen.passage_key
order by passages.passage_key;
