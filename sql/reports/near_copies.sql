-- near_copies: candidates that resemble a positive of their query, for people to read. Grain: one row per pair.
-- By these, choose the duplicate_above of the cutoffs: as long as pairs above it say the same, they are duplicates. In
-- texts made from one template, the few words that differ are what matters.
-- resemblance: the shingles that both have in common, as a share of all that either has, from 0.5 on; of several
-- positives, the one that is most alike. decision: that of the cutoffs now. Exact copies are always duplicates, and are
-- not here. The most alike come first.
-- Parameters: $run, $cutoffs, $limit.
-- Example: curate sql near_copies -p limit=100 --output near-copies.parquet
with alike as (
    select
        found.query_key,
        found.passage_key,
        found."rank",
        found.probability,
        found.decision,
        near_copies.positive_key,
        near_copies.resemblance,
    from found
    inner join near_copies
        on near_copies.query_key = found.query_key and near_copies.passage_key = found.passage_key
    where found.cutoffs = $cutoffs and found.run_id = $run
    qualify row_number() over (
        partition by found.query_key, found.passage_key
        order by near_copies.resemblance desc, near_copies.positive_key
    ) = 1
    order by near_copies.resemblance desc, found.query_key, found.passage_key
    limit $limit
)
select
    queries.query_id,
    passages.passage_id,
    positive.passage_id as positive_id,
    round(alike.resemblance::double, 4) as resemblance,
    alike.decision,
    alike."rank",
    round(alike.probability::double, 4) as probability,
    queries.text as query,
    passage_text(passages.title, passages.text) as passage,
    passage_text(positive.title, positive.text) as positive,
from alike
inner join queries on queries.query_key = alike.query_key
inner join passages on passages.passage_key = alike.passage_key
inner join passages as positive on positive.passage_key = alike.positive_key
order by alike.resemblance desc, alike.query_key, alike.passage_key;
