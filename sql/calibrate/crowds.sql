-- crowds: how many candidates of one query can lie beyond a cutoff. Grain: one row per place.
-- above: the highest probability that any query has at this place from the top; below: the lowest from the bottom. The
-- candidates are those of calibrate/cuts.
with unlabelled as (
    select candidates.query_key, probability(scores.logit, $a, $b, $c) as probability
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
),
placed as (
    select
        probability,
        row_number() over (partition by query_key order by probability desc) as from_top,
        row_number() over (partition by query_key order by probability) as from_bottom,
    from unlabelled
)
select
    places.place::integer as place,
    max(placed.probability) filter (where placed.from_top = places.place) as above,
    min(placed.probability) filter (where placed.from_bottom = places.place) as below,
from (select unnest(range(1, $depth + 1)) as place) as places
inner join placed on placed.from_top = places.place or placed.from_bottom = places.place
group by places.place
order by places.place;
