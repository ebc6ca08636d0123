-- scale: figures that show whether cutoffs mean anything for the sigmoid of a scorer's logits. Grain: one row per call.
-- positives: those of queries that the scorer was not trained on. declared: what the files of the scorer say of its
-- scale, if anything. is_trained_here: its loss makes its logits log-odds.
with judged as (
    select
        scores.logit,
        probability(scores.logit, 1, 1, 0) as probability,
        positives.query_key is not null and seen.query_key is null as is_positive,
        random.query_key is not null and found.query_key is null and positives.query_key is null as is_random,
    from pairs_to_score($run, $depth) as pairs
    inner join scores
        on scores.scorer_id = $scorer
        and scores.query_key = pairs.query_key
        and scores.passage_key = pairs.passage_key
    left join positives on positives.query_key = pairs.query_key and positives.passage_key = pairs.passage_key
    left join (select query_key from seen_queries where scorer_id = $scorer) as seen
        on seen.query_key = pairs.query_key
    left join random_pairs($run) as random
        on random.query_key = pairs.query_key and random.passage_key = pairs.passage_key
    left join usable_candidates as found
        on found.run_id = $run and found.query_key = random.query_key and found.passage_key = random.passage_key
)
select
    count(*) as pairs,
    min(logit) as lowest,
    max(logit) as highest,
    count(*) filter (where logit between 0 and 1) as within_zero_and_one,
    count(*) filter (where abs(logit) > 9) as saturated,
    count(*) filter (where is_positive) as positives,
    count(*) filter (where is_positive and probability < $negative_below::float) as positives_below,
    count(*) filter (where is_positive and probability > $positive_above::float) as positives_above,
    count(*) filter (where is_random) as random,
    count(*) filter (where is_random and probability >= $negative_below::float) as random_not_below,
    (select any_value(settings ->> 'scale') from models where model_id = $scorer) as declared,
    exists (select 1 from models where model_id = $scorer and was_trained_here(path)) as is_trained_here,
from judged;
