-- judgements: people's verdicts on pairs. Grain: one row per (query_key, passage_key).
-- Annotations outrank qrels. If the annotators of a pair are tied, the qrels apply. A verdict on a query's own copy
-- says nothing that could train a model, and is left out.
create or replace view judgements as
with votes as (
    select
        query_key,
        passage_key,
        count(*) filter (where relevant) as yes,
        count(*) filter (where not relevant) as no,
    from annotations
    group by query_key, passage_key
),
annotated as (
    select query_key, passage_key, yes > no as relevant from votes where yes <> no
),
judged as (
    select query_key, passage_key, relevant, 'annotation' as source from annotated
    union all
    select qrels.query_key, qrels.passage_key, qrels.relevance > 0 as relevant, 'qrels' as source
    from qrels
    anti join annotated on annotated.query_key = qrels.query_key and annotated.passage_key = qrels.passage_key
)
select query_key, passage_key, relevant, source
from judged
anti join own_copies using (query_key, passage_key);
