-- row_slots: train_rows in the order of training, with the scorer's logit. Grain: one row per (row_number, passage_key).
-- A row's positives come first. logit: of $scorer, null where it has not scored the pair, and for random passages: those
-- it may have scored for another run, which is not this training's to know (train_scores_digest).
select
    train_rows.row_number,
    train_rows.query_key,
    train_rows.passage_key,
    train_rows.label,
    train_rows.kind,
    scores.logit,
from train_rows
left join scores
    on scores.scorer_id = $scorer
    and train_rows.kind <> 'random'
    and scores.query_key = train_rows.query_key
    and scores.passage_key = train_rows.passage_key
order by train_rows.row_number, train_rows.label desc, train_rows.kind, train_rows.turn, train_rows.passage_key;
