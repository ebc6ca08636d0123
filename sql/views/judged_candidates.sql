-- judged_candidates: the usable candidates, each with its probability and with the cutoffs that decide about it. Grain: one row per (cutoffs, run_id, query_key, passage_key).
-- probability: null if no scorer has seen the pair (views/probabilities.sql).
-- The candidates of a run come from scored_candidates where the scorer of the cutoffs has them there, and from the tables elsewhere.
create or replace view judged_candidates as
select
    cutoffs.name as cutoffs,
    candidates.run_id,
    candidates.query_key,
    candidates.passage_key,
    candidates.rank,
    candidates.score,
    probability(candidates.logit, cutoffs.a, cutoffs.b, cutoffs.c) as probability,
    cutoffs.depth,
    cutoffs.negative_below,
    cutoffs.positive_above,
from cutoffs
inner join scored_candidates as candidates on candidates.scorer_id = cutoffs.scorer_id
anti join withdrawn_queries as withdrawn
    on withdrawn.run_id = candidates.run_id and withdrawn.query_key = candidates.query_key
union all
select
    cutoffs.name,
    candidates.run_id,
    candidates.query_key,
    candidates.passage_key,
    candidates.rank,
    candidates.score,
    probabilities.probability,
    cutoffs.depth,
    cutoffs.negative_below,
    cutoffs.positive_above,
from cutoffs
cross join usable_candidates as candidates
-- This stands before the join of probabilities. After it, DuckDB makes that join for all candidates.
anti join scored_runs on scored_runs.run_id = candidates.run_id and scored_runs.scorer_id = cutoffs.scorer_id
left join probabilities
    on probabilities.cutoffs = cutoffs.name
    and probabilities.query_key = candidates.query_key
    and probabilities.passage_key = candidates.passage_key;
