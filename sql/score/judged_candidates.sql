-- judged_candidates: the rows of views/judged_candidates.sql, from files of scored candidates. Grain: one row per (cutoffs, run_id, query_key, passage_key).
-- The files have the logits of each scorer that decides alone. What several judges say together is joined as ever.
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
anti join withdrawn on withdrawn.run_id = candidates.run_id and withdrawn.query_key = candidates.query_key
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
left join probabilities
    on probabilities.cutoffs = cutoffs.name
    and probabilities.query_key = candidates.query_key
    and probabilities.passage_key = candidates.passage_key
where cutoffs.scorer_id is null;
