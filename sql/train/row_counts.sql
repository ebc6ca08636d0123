-- row_counts: what a dual-encoder is trained on, in figures. Grain: one row.
-- short: questions with fewer hard negatives than $hard_negatives; without: of these, with none.
with per_question as (
    select questions.query_key, questions.is_pseudo_labelled, count(found.passage_key) as negatives,
    from (
        select query_key, bool_or(positive_source = 'pseudo') as is_pseudo_labelled
        from training_positives
        group by query_key
    ) as questions
    left join training_negatives as found on found.query_key = questions.query_key
    group by questions.query_key, questions.is_pseudo_labelled
)
select
    count(*) as questions,
    count(*) filter (where is_pseudo_labelled) as pseudo_labelled,
    count(*) filter (where negatives < $hard_negatives) as short,
    count(*) filter (where negatives = 0 and $hard_negatives > 0) as without,
from per_question;
