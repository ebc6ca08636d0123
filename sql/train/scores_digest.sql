-- scores_digest: a number that changes with any logit of $scorers that a training reads. Grain: one row.
-- It covers the candidates of $runs in the judged depth (or down to $depth, if negatives need no verdict) and the
-- positives of training queries. Other scores do not change it, so a trained model does not look outdated because
-- of them.
with found as (
    select query_key, passage_key from candidates
    where
        list_contains($runs, run_id)
        and rank <= (select greatest(max(depth), if($denoised, 0, $depth)) from cutoffs where name = $cutoffs)
),
pairs as (
    select query_key, passage_key from found
    union
    select positives.query_key, positives.passage_key
    from positives
    semi join training_queries on training_queries.query_key = positives.query_key
)
select
    count(*) as pairs,
    coalesce(
        bit_xor(
            md5_number(
                concat_ws(
                    ' ',
                    scores.query_key,
                    scores.passage_key,
                    scores.logit,
                    if(len($scorers) > 1, scores.scorer_id, null)
                )
            )
        ),
        0
    )::varchar as digest,
from scores
semi join pairs on pairs.query_key = scores.query_key and pairs.passage_key = scores.passage_key
where list_contains($scorers, scores.scorer_id);
