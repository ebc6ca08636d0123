-- scale: figures that show whether sigmoid(logit) looks like a probability. Grain: one row per call.
with judged as (
    select scores.logit, positives.query_key is not null as is_positive
    from pairs_to_score($run, $depth) as pairs
    inner join scores
        on scores.scorer_id = $scorer
        and scores.query_key = pairs.query_key
        and scores.passage_key = pairs.passage_key
    left join positives on positives.query_key = pairs.query_key and positives.passage_key = pairs.passage_key
)
select
    count(*) as pairs,
    min(logit) as lowest,
    max(logit) as highest,
    count(*) filter (where logit between 0 and 1) as within_zero_and_one,
    count(*) filter (where abs(logit) > 9) as saturated,
    count(*) filter (where is_positive) as positives,
    count(*) filter (where is_positive and logit < 0) as positives_below_half,
from judged;
