-- judged_candidates: the usable candidates, each with its probability and with the cutoffs that decide about it. Grain: one row per (cutoffs, run_id, query_key, passage_key).
-- probability: null if no scorer has seen the pair (views/probabilities.sql).
-- Where files of scored candidates are kept, score/judged_candidates.sql gives the same rows sooner.
create or replace view judged_candidates as
select
    cutoffs.name as cutoffs,
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
    and probabilities.passage_key = candidates.passage_key;
