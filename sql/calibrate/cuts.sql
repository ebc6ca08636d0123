-- cuts: probabilities of candidates at a thousand even steps, from the lowest on. Grain: one row per step and different probability.
-- The candidates are those that scores decide about, of queries that did not train the scorer.
with unlabelled as (
    select probability(scores.logit, $a, $b, $c) as probability
    from usable_candidates as candidates
    inner join scores
        on scores.scorer_id = $scorer
        and scores.query_key = candidates.query_key
        and scores.passage_key = candidates.passage_key
    anti join qrels on qrels.query_key = candidates.query_key and qrels.passage_key = candidates.passage_key
    anti join duplicates
        on duplicates.query_key = candidates.query_key and duplicates.passage_key = candidates.passage_key
    anti join (select query_key from seen_queries where scorer_id = $scorer) as seen
        on seen.query_key = candidates.query_key
    where candidates.run_id = $run and candidates.rank <= $depth
)
select distinct unnest(quantile_disc(probability, [step / 1000 for step in range(1, 1000)])) as probability
from unlabelled
order by probability;
