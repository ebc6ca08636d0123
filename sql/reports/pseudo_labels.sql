-- pseudo_labels: queries without labels and the passages that the scorer is sure of. Grain: one row per pseudo-labelled pair.
-- The most probable ones come first. A training set uses them as labelled pairs; of several runs it takes the best for each query.
-- Parameters: $run (over the queries without labels), $cutoffs, $limit.
-- Example: curate sql pseudo_labels -p limit=50 --output pseudo-labels.csv
with chosen as (
    select query_key, passage_key, rank, probability
    from pseudo_labels
    where cutoffs = $cutoffs and run_id = $run
    order by probability desc, query_key, rank
    limit $limit
)
select
    queries.query_id,
    passages.passage_id,
    chosen.rank,
    round(chosen.probability::double, 4) as probability,
    queries.text as query,
    passage_text(passages.title, passages.text) as passage,
from chosen
inner join queries on queries.query_key = chosen.query_key
inner join passages on passages.passage_key = chosen.passage_key
order by chosen.probability desc, chosen.query_key, chosen.rank;
