-- pseudo_labels: questions without labels and the passage that the scorer is sure of. Grain: one row per pseudo-labelled pair.
-- The most probable come first. Each is used as a labelled pair by curate export.
-- Parameters: $run (over the questions without labels), $cutoffs, $limit.
with chosen as (
    select pseudo_labels.query_key, pseudo_labels.passage_key, pseudo_labels.rank, pseudo_labels.probability
    from pseudo_labels
    inner join cutoffs on cutoffs.name = pseudo_labels.cutoffs and pseudo_labels.rank <= cutoffs.depth
    where pseudo_labels.cutoffs = $cutoffs and pseudo_labels.run_id = $run
    order by pseudo_labels.probability desc, pseudo_labels.query_key, pseudo_labels.rank
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
