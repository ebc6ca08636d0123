-- rescued: passages that the scorer does not hold relevant, and that denoising takes away all the same. Grain: one row per pair.
-- A miner that takes the best-ranked unlabelled passages would have trained on them as negatives (see naive_negatives):
-- they are among the first $negatives of their query. decision: uncertain, between the cutoffs, or duplicate, with the
-- text of a positive, exactly or nearly (views/near_duplicates.sql), or of the query. Those that the scorer holds
-- relevant are in `suspects`. They are drawn by hash, so that they are typical; shared_words is as there.
-- Parameters: $run, $cutoffs, $negatives, $limit.
-- Example: curate sql rescued -p limit=50
with taken as (
    select
        query_key,
        unnest(
            arg_min(
                {'passage_key': passage_key, 'rank': "rank", 'probability': probability, 'decision': decision},
                "rank",
                $negatives
            ) filter (where decision <> 'positive'),
            recursive := true
        ),
    from found
    where cutoffs = $cutoffs and run_id = $run
    group by query_key
),
chosen as (
    select taken.query_key, taken.passage_key, taken."rank", taken.probability, taken.decision
    from taken
    inner join queries on queries.query_key = taken.query_key
    semi join positives on positives.query_key = taken.query_key
    where taken.decision in ('uncertain', 'duplicate')
    order by draw(0, queries.query_id, taken."rank"), taken.query_key
    limit $limit
)
select
    queries.query_id,
    passages.passage_id,
    chosen.decision,
    chosen."rank",
    round(chosen.probability::double, 4) as probability,
    queries.text as query,
    passage_text(passages.title, passages.text) as passage,
    shared_words(queries.text, passage_text(passages.title, passages.text), common.words) as shared_words,
from chosen
cross join common_words($run) as common
inner join queries on queries.query_key = chosen.query_key
inner join passages on passages.passage_key = chosen.passage_key
order by draw(0, queries.query_id, chosen."rank"), chosen.query_key;
