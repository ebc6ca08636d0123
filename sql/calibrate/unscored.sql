-- unscored: how many candidates in a run's top-k have no score of a scorer. Grain: one row per call.
select count(*) as candidates
from usable_candidates as found
anti join scores
    on scores.scorer_id = $scorer and scores.query_key = found.query_key and scores.passage_key = found.passage_key
where found.run_id = $run and found."rank" <= $depth;
