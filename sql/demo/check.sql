-- check: how curation judged passages that are known to be relevant. Grain: one row.
-- hidden, own: pairs of ids (collection/truth). known: hidden positives in the judged top-k that have no label.
-- taken_out: those of them that are not negatives. own_answers: pseudo-labels that name the query's own docstring.
with mined as (
    select found.query_key, found.passage_key, any_value(found.decision) as decision
    from found
    inner join queries on queries.query_key = found.query_key
    inner join passages on passages.passage_key = found.passage_key
    inner join hidden on hidden."query-id" = queries.query_id and hidden."corpus-id" = passages.passage_id
    where found.cutoffs = 'default' and is_judged(found.decision)
    group by found.query_key, found.passage_key
),
answered as (
    select pseudo_labels.query_key, own."corpus-id" is not null as is_own
    from pseudo_labels
    inner join queries on queries.query_key = pseudo_labels.query_key
    inner join passages on passages.passage_key = pseudo_labels.passage_key
    left join own on own."query-id" = queries.query_id and own."corpus-id" = passages.passage_id
    where pseudo_labels.cutoffs = 'default' and pseudo_labels.run_id = (select max_by(run_id, round) from runs)
)
select
    (select count(*) from mined) as known,
    (select count(*) from mined where is_denoised(decision)) as taken_out,
    (select count(*) from answered) as pseudo_labels,
    (select count(*) from answered where is_own) as own_answers,
