-- probabilities: the view of the same name, as far as kept_probabilities has its rows. Grain: one row per (query_key, passage_key).
-- Parameters: $cutoffs, of which kept_probabilities was made.
select $cutoffs::varchar as cutoffs, query_key, passage_key, probability, logit from kept_probabilities;
