-- disagreements: candidates about which two scorers decide otherwise, for people to read. Grain: one row per pair.
-- They are among those that the report agreement counts. The greatest differences of their probabilities come first.
-- against and against_verdict are those of the scorer $against.
-- Parameters: $run, $cutoffs, $scorer, $against (ids of scorers), $limit.
-- Example: curate sql disagreements -p scorer=A -p against=B -p limit=50
with chosen as (
    select *
    from judged_twice($run, $cutoffs, $scorer, $against)
    where verdict <> against_verdict
    order by abs(probability::double - against) desc, "rank", query_key, passage_key
    limit $limit
)
select
    queries.query_id,
    passages.passage_id,
    chosen."rank",
    round(chosen.probability::double, 4) as probability,
    chosen.verdict,
    round(chosen.against::double, 4) as against,
    chosen.against_verdict,
    queries.text as query,
    passage_text(passages.title, passages.text) as passage,
from chosen
inner join queries on queries.query_key = chosen.query_key
inner join passages on passages.passage_key = chosen.passage_key
order by abs(chosen.probability::double - chosen.against) desc, chosen."rank", chosen.query_key, chosen.passage_key;
