-- train_scores_digest: a number that changes with any logit of $scorer that $runs lead to. Grain: one row.
-- Scores of other runs leave it as it is, so that scoring more makes nothing that was trained before look outdated.
with pairs as (
    select query_key, passage_key from candidates where list_contains($runs, run_id)
    union
    select query_key, passage_key from positives
)
select
    count(*) as pairs,
    coalesce(bit_xor(md5_number(concat_ws(' ', scores.query_key, scores.passage_key, scores.logit))), 0)::varchar as digest,
from scores
semi join pairs on pairs.query_key = scores.query_key and pairs.passage_key = scores.passage_key
where scores.scorer_id = $scorer;
