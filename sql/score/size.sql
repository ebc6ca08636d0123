-- size: how many pairs a run's top-k has. Grain: one row per call.
select count(*) as pairs from pairs_to_score($run, $depth);
