-- row_slots: train_rows in the order of training, with the scorer's logits. Grain: one row per (row_number, passage_key).
-- A row's positives come first, then uncertain candidates. logit: the logit of $scorer, or null if $scorer has not scored the pair. It is
-- also null for random passages: a logit from another run is not an input of this training
-- (train/scores_digest.sql). weight: as in train/rows.sql.
select
    train_rows.row_number,
    train_rows.query_key,
    train_rows.passage_key,
    train_rows.label,
    train_rows.kind,
    scores.logit,
    train_rows.weight,
from train_rows
left join scores
    on scores.scorer_id = $scorer
    and train_rows.kind <> 'random'
    and scores.query_key = train_rows.query_key
    and scores.passage_key = train_rows.passage_key
order by train_rows.row_number, train_rows.label desc, train_rows.weight is null, train_rows.kind, train_rows.turn, train_rows.passage_key;
