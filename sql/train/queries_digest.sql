-- queries_digest: a number that changes with any query of a training, and with people's verdicts on these queries. Grain: one row.
-- It covers the queries with a labelled positive and those of train, with $augmented also those without labels, and with $dev those of dev, which
-- select the weights. Other queries and judgements do not change it, so a trained model does not look outdated
-- because of them.
with asked as (
    select query_key, query_id, text
    from training_queries
    where split = 'train' or $augmented or query_key in (select query_key from positives)
    union all
    select query_key, query_id, text from queries where split = 'dev' and $dev
),
parts as (
    select concat_ws(chr(31), 'query', query_key, query_id, text) as part from asked
    union all
    select concat_ws(chr(31), 'judged', query_key, passage_key, relevant) from judgements semi join asked using (query_key)
)
select coalesce(bit_xor(md5_number(part)), 0)::varchar as digest, count(*) as parts from parts;
