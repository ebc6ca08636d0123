-- train_row_counts: what a dual-encoder is trained on, in figures. Grain: one row.
-- short: questions with fewer hard negatives than $hard_negatives; without: of these, with none.
with per_question as (
    select questions.query_key, any_value(queries.split) as split, count(found.passage_key) as negatives,
    from (select distinct query_key from train_positives) as questions
    inner join queries on queries.query_key = questions.query_key
    left join train_hard_negatives as found on found.query_key = questions.query_key
    group by questions.query_key
)
select
    count(*) as questions,
    count(*) filter (where split = 'unlabeled') as pseudo_labelled,
    count(*) filter (where negatives < $hard_negatives) as short,
    count(*) filter (where negatives = 0 and $hard_negatives > 0) as without,
from per_question;
