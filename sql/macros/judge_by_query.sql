-- judge_by_query: how a scorer and a retriever rank the labelled positives of queries that the scorer has not seen. Grain: one row per query.
-- Both rank the run's top_k. A query with an unlabelled candidate without a score is left out: unscored is not negative. So is
-- a passage with the text of a positive, or of the query. Among equal logits the positives come last, and a positive
-- without a score comes after all others. Of more than 5,000 queries, 5,000 are drawn, and 1,000 of
-- those that are left. stops: most queries were not scored
-- in full, because they had enough negatives; then only those of macros/sampled_queries.sql count.
-- judge_rr, retriever_rr: 1 / rank of the first positive, 0 beyond rank 10. judge_auc, retriever_auc: the share of all
-- unlabelled candidates of all these queries that lie below a positive, the mean over the positives that the run found;
-- null if it found none. positives: all labelled ones, of which recognised have a probability (a, b and c as in
-- macros/probability.sql) above `high` and lost one below `low`.
-- retriever_has_seen: the run's encoder was trained here, on the labels of these queries, so that its figures flatter it.
create or replace macro judge_by_query(of_run, top_k, of_scorer, low, high, a, b, c, stops) as table
with drawn as (
    select queries.query_key, queries.query_id, draw(0, queries.query_id, 'judge') as place
    from queries
    semi join positives on positives.query_key = queries.query_key
    semi join (select query_key from usable_candidates where run_id = of_run) as mined using (query_key)
    semi join (select query_key from scores where scorer_id = of_scorer) as scored using (query_key)
    anti join (select query_key from seen_queries where scorer_id = of_scorer) as seen using (query_key)
    where
        not stops
        or queries.query_key in (
            select query_key from sampled_queries(of_run, (select path from models where model_id = of_scorer))
        )
    order by place, queries.query_key
    limit 5000
),
-- Each relation is cut to these queries before it is joined: over 20 M candidates that takes a quarter of the time.
found_of_drawn as (
    select query_key, passage_key, "rank"
    from usable_candidates
    semi join drawn using (query_key)
    where run_id = of_run and "rank" <= top_k
),
scores_of_drawn as (
    select query_key, passage_key, logit from scores semi join drawn using (query_key) where scorer_id = of_scorer
),
incomplete as (
    select found.query_key
    from found_of_drawn as found
    anti join positives on positives.query_key = found.query_key and positives.passage_key = found.passage_key
    anti join duplicates on duplicates.query_key = found.query_key and duplicates.passage_key = found.passage_key
    anti join scores_of_drawn as known
        on known.query_key = found.query_key and known.passage_key = found.passage_key and known.logit is not null
),
asked as (
    select query_key, query_id
    from drawn
    anti join incomplete using (query_key)
    order by place, query_key
    limit 1000
),
logits as (
    select query_key, passage_key, logit from scores_of_drawn semi join asked using (query_key)
),
pairs as (
    select
        found.query_key,
        found."rank",
        positives.passage_key is not null as relevant,
        coalesce(logits.logit, '-infinity'::float) as logit,
    from found_of_drawn as found
    semi join asked on asked.query_key = found.query_key
    left join positives on positives.query_key = found.query_key and positives.passage_key = found.passage_key
    left join logits on logits.query_key = found.query_key and logits.passage_key = found.passage_key
    anti join duplicates on duplicates.query_key = found.query_key and duplicates.passage_key = found.passage_key
),
placed as (
    select
        query_key,
        relevant,
        row_number() over (partition by query_key order by logit desc, relevant, "rank") as judge_rank,
        row_number() over (partition by query_key order by "rank") as retriever_rank,
        (not relevant)::integer as other,
        -- A range of equal values ends with its last row: half of the equal ones count as below.
        sum(other) over (order by logit) - sum(other) over (partition by logit) / 2 as below_in_judge,
        sum(other) over (order by "rank" desc) - sum(other) over (partition by "rank") / 2 as below_in_retriever,
        nullif(sum(other) over (), 0) as others,
    from pairs
),
ranked as (
    select
        query_key,
        max(case when judge_rank <= 10 then 1 / judge_rank else 0 end) as judge_rr,
        max(case when retriever_rank <= 10 then 1 / retriever_rank else 0 end) as retriever_rr,
        -- Sums of halves are exact, so that their order means nothing.
        sum(below_in_judge) / (count(*) * max(others)) as judge_auc,
        sum(below_in_retriever) / (count(*) * max(others)) as retriever_auc,
    from placed
    where relevant
    group by query_key
),
verdicts as (
    select
        positives.query_key,
        count(*) as positives,
        count(*) filter (where probability(logits.logit, a, b, c) > high::float) as recognised,
        count(*) filter (where probability(logits.logit, a, b, c) < low::float) as lost,
    from positives
    semi join asked on asked.query_key = positives.query_key
    left join logits on logits.query_key = positives.query_key and logits.passage_key = positives.passage_key
    group by positives.query_key
)
select
    asked.query_id,
    coalesce(ranked.judge_rr, 0)::double as judge_rr,
    coalesce(ranked.retriever_rr, 0)::double as retriever_rr,
    ranked.judge_auc::double as judge_auc,
    ranked.retriever_auc::double as retriever_auc,
    verdicts.positives,
    verdicts.recognised,
    verdicts.lost,
    exists (
        select 1
        from runs
        inner join models on models.model_id = runs.model_id
        where
            (select split from runs where run_id = of_run) = 'train'
            and was_trained_here(models.path)
            and (runs.run_id = of_run or list_contains((select sources from runs where run_id = of_run), runs.run_id))
    ) as retriever_has_seen,
from asked
inner join verdicts on verdicts.query_key = asked.query_key
left join ranked on ranked.query_key = asked.query_key
order by asked.query_id;
