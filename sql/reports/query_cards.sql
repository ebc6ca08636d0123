-- query_cards: the queries that tell most about a run, each with its first candidates. Grain: one row per (query, passage).
-- reason: most false negatives (in the judged depth), no hard negative (although every candidate is judged), or a
-- labelled positive that the scorer puts below negative_below: there, the label or the scorer is wrong. A query has one
-- reason, and each reason has up to half of $limit queries. The columns false_negatives, uncertain and hard_negatives count all
-- candidates of the query; its rows are the first 5 candidates, up to 3 labelled positives below them and, without a rank,
-- up to 3 that are not in the judged depth. shared_words is as in `suspects`.
-- Parameters: $run, $cutoffs, $limit.
-- Example: curate sql query_cards -p limit=50
with per_query as (
    select
        query_key,
        count(*) as candidates,
        count(*) filter (where decision = 'false_negative') as false_negatives,
        count(*) filter (where decision = 'uncertain') as uncertain,
        count(*) filter (where decision = 'hard_negative') as hard_negatives,
        count(*) filter (where decision = 'unscored') as unscored,
        min(probability) filter (where decision = 'positive') as lowest_positive,
    from found
    where cutoffs = $cutoffs and run_id = $run
    group by query_key
),
reasons as (
    (
        select query_key, 1 as step, 'most false negatives' as reason, false_negatives::double as place
        from per_query
        where false_negatives > 0
        order by false_negatives desc, query_key
        limit ($limit + 1) // 2
    )
    union all
    (
        select query_key, 2, 'no hard negative', candidates
        from per_query
        where hard_negatives = 0 and unscored = 0 and uncertain + false_negatives > 0
        order by candidates desc, query_key
        limit $limit + 1
    )
    union all
    (
        select query_key, 3, 'a labelled positive that the scorer rejects', 1 - lowest_positive
        from per_query
        inner join cutoffs on cutoffs.name = $cutoffs
        where lowest_positive < cutoffs.negative_below
        order by lowest_positive, query_key
        limit 3 * (($limit + 1) // 2)
    )
),
first_reason as (
    select * from reasons
    qualify row_number() over (partition by query_key order by step) = 1
),
chosen as (
    select * from first_reason
    qualify row_number() over (partition by step order by place desc, query_key) <= ($limit + 1) // 2
),
listed as (
    select query_key, passage_key, "rank", probability, decision, decided_by
    from found
    where cutoffs = $cutoffs and run_id = $run and "rank" <= 5 and query_key in (select query_key from chosen)
),
deeper as (
    select query_key, passage_key, "rank", probability, decision, decided_by
    from found
    where
        cutoffs = $cutoffs
        and run_id = $run
        and "rank" > 5
        and decision = 'positive'
        and query_key in (select query_key from chosen)
),
missed as (
    select positives.query_key, positives.passage_key, null::integer as "rank", probabilities.probability
    from positives
    semi join chosen on chosen.query_key = positives.query_key
    anti join listed on listed.query_key = positives.query_key and listed.passage_key = positives.passage_key
    anti join deeper on deeper.query_key = positives.query_key and deeper.passage_key = positives.passage_key
    left join probabilities
        on probabilities.cutoffs = $cutoffs
        and probabilities.query_key = positives.query_key
        and probabilities.passage_key = positives.passage_key
    qualify row_number() over (partition by positives.query_key order by positives.passage_key) <= 3
),
shown as (
    select query_key, passage_key, "rank", probability, decision::varchar as decision, decided_by::varchar as decided_by
    from listed
    union all
    select query_key, passage_key, "rank", probability, decision::varchar, decided_by::varchar
    from deeper
    qualify row_number() over (partition by query_key order by "rank") <= 3
    union all
    select query_key, passage_key, "rank", probability, 'positive', 'people' from missed
)
select
    chosen.reason,
    queries.query_id,
    queries.text as query,
    per_query.candidates,
    per_query.false_negatives,
    per_query.uncertain,
    per_query.hard_negatives,
    shown."rank",
    shown.decision,
    shown.decided_by,
    round(shown.probability::double, 4) as probability,
    passages.passage_id,
    passage_text(passages.title, passages.text) as passage,
    shared_words(queries.text, passage_text(passages.title, passages.text), common.words) as shared_words,
from chosen
cross join common_words($run) as common
inner join per_query on per_query.query_key = chosen.query_key
inner join shown on shown.query_key = chosen.query_key
inner join queries on queries.query_key = shown.query_key
inner join passages on passages.passage_key = shown.passage_key
order by chosen.step, chosen.place desc, chosen.query_key, shown."rank" nulls last, shown.passage_key;
