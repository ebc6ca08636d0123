-- size: the number of pairs in a run's top-k. Grain: one row per call.
select count(*) as pairs from pairs_to_score($run, $depth);
