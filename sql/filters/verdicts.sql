-- verdicts: what is known to be true of a run's candidates, by which filters are measured. Grain: one row per (query_key, passage_key).
-- Annotations and labels say it, or else hidden_labels, which have every relevant passage of their queries. Queries that
-- a scorer of the cutoffs was trained on are left out.
-- weight: for how many candidates the pair stands: 1 if hidden_labels have its query, because then all are known; else 1
-- over the chance with which a sample drew it, else 1. If some annotations have a chance, the weight of those without one
-- is null: nobody knows it.
create or replace macro verdicts(of_run, of_cutoffs) as table
with seen as (
    select query_key from seen_by_judges where cutoffs = of_cutoffs
),
hidden_queries as (
    select distinct queries.query_key
    from hidden_labels
    inner join queries on queries.query_id = hidden_labels.query_id
),
hidden_positives as (
    select distinct queries.query_key, passages.passage_key
    from hidden_labels
    inner join queries on queries.query_id = hidden_labels.query_id
    inner join passages on passages.passage_id = hidden_labels.passage_id
    where hidden_labels.relevance > 0
),
weights as (
    select query_key, passage_key, 1 / min(coalesce(inclusion, case when not is_said then 1 end)) as weight
    from annotations
    cross join (select count(inclusion) > 0 as is_said from annotations) as chances
    group by query_key, passage_key
),
told as (
    select
        candidates.query_key,
        candidates.passage_key,
        case
            when judgements.relevant is not null then judgements.relevant
            when hidden_queries.query_key is not null then hidden_positives.query_key is not null
        end as relevant,
        case
            when hidden_queries.query_key is null and judgements.source = 'annotation' then weights.weight
            else 1
        end::decimal(18, 6) as weight,
    from usable_candidates as candidates
    anti join seen on seen.query_key = candidates.query_key
    left join judgements
        on judgements.query_key = candidates.query_key and judgements.passage_key = candidates.passage_key
    left join weights on weights.query_key = candidates.query_key and weights.passage_key = candidates.passage_key
    left join hidden_queries on hidden_queries.query_key = candidates.query_key
    left join hidden_positives
        on hidden_positives.query_key = candidates.query_key and hidden_positives.passage_key = candidates.passage_key
    where candidates.run_id = of_run
)
select query_key, passage_key, relevant, weight
from told
where relevant is not null;
