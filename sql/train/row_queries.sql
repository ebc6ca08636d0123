-- row_queries: the queries in train_rows, with the texts that may not be negatives for them. Grain: one row per query.
-- masked: the text keys of these texts. $masks: 'none', 'labels' (the positives, and all passages with their texts or
-- the query's own) or 'decisions' (also the candidates that are not hard negatives: false negatives, uncertain and
-- unscored ones). What has a soft label is masked like a positive: it is a negative in its own row only, by its label.
with masked as (
    select query_key, passage_key from training_positives where $masks <> 'none'
    union
    select query_key, passage_key from positives semi join training_positives using (query_key) where $masks <> 'none'
    union
    select query_key, passage_key from duplicates semi join training_positives using (query_key) where $masks <> 'none'
    union
    select query_key, passage_key from soft_labels where $masks <> 'none'
    union
    select query_key, passage_key from found_pairs where $masks = 'decisions' and decision <> 'hard_negative'
),
lists as (
    select masked.query_key, array_agg(distinct train_texts.text_key order by train_texts.text_key) as masked,
    from masked
    inner join passages on passages.passage_key = masked.passage_key
    inner join train_texts on train_texts.text_hash = passages.text_hash
    group by masked.query_key
)
select
    queries.query_key as key,
    queries.query_id as id,
    queries.text,
    coalesce(lists.masked, []) as masked,
from queries
semi join training_positives on training_positives.query_key = queries.query_key
left join lists on lists.query_key = queries.query_key
order by queries.query_key;
