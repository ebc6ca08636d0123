-- rows: the rows that a dual-encoder is trained on, as train_rows. Grain: one row per (row_number, passage_key).
-- Every epoch has each query once, in an order of its own. A query's positives and negatives keep the order of
-- their draws, which the epoch rotates, so that the next epoch sees others. A query with too few hard negatives
-- stays short: nothing fills the gap (RocketQA's scripts fill it with passages that nobody scored).
-- Random negatives are drawn from all passages except the query's positives, their duplicates and the runs'
-- candidates. Uncertain candidates (train/soft_labels.sql) take turns, too.
-- weight: how far the passage is a positive: 1, the probability of an uncertain candidate, or null for a negative.
create or replace temp table train_rows as
with positives_in_turn as (
    select
        query_key,
        passage_key,
        row_number() over (partition by query_key order by draw($seed, query_id, passage_id), passage_key) - 1 as place,
        count(*) over (partition by query_key) as size,
    from training_positives
    where not repeated
),
negatives_in_turn as (
    select query_key, passage_key, place, count(*) over (partition by query_key) as size from training_negatives
),
epochs as (
    select
        numbers.epoch,
        asked.query_key,
        asked.query_id,
        row_number() over (
            order by numbers.epoch, draw($seed, asked.query_id, concat('epoch ', numbers.epoch)), asked.query_key
        ) - 1 as row_number,
    from (select unnest(range($epochs)) as epoch) as numbers
    cross join (select distinct query_key, query_id from training_positives) as asked
),
labelled as (
    select
        epochs.row_number,
        epochs.query_key,
        labelled.passage_key,
        place_in_epoch(labelled.place, labelled.size, epochs.epoch, $positives) as turn,
    from epochs
    inner join positives_in_turn as labelled on labelled.query_key = epochs.query_key
    where turn < $positives
),
hard as (
    select
        epochs.row_number,
        epochs.query_key,
        negatives.passage_key,
        place_in_epoch(negatives.place, negatives.size, epochs.epoch, $hard_negatives) as turn,
    from epochs
    inner join negatives_in_turn as negatives on negatives.query_key = epochs.query_key
    where turn < $hard_negatives
),
unsure as (
    select
        epochs.row_number,
        epochs.query_key,
        uncertain.passage_key,
        place_in_epoch(uncertain.place, uncertain.size, epochs.epoch, $uncertain) as turn,
        uncertain.probability,
    from epochs
    inner join (select *, count(*) over (partition by query_key) as size from soft_labels) as uncertain
        on uncertain.query_key = epochs.query_key
    where turn < $uncertain
),
tries as (
    select
        epochs.row_number,
        epochs.query_key,
        numbers.attempt,
        (
            draw($seed, epochs.query_id, concat('any passage', chr(31), epochs.epoch, chr(31), numbers.attempt))
            % (select max(passage_key) + 1 from passages)::uhugeint -- draw % integer would give a DOUBLE
        )::integer as passage_key,
    from epochs
    cross join (select unnest(range($random_negatives + 8)) as attempt) as numbers
    where $random_negatives > 0
),
strangers as (
    select
        tries.row_number,
        tries.query_key,
        tries.passage_key,
        row_number() over (partition by tries.row_number order by min(tries.attempt)) - 1 as turn,
    from (
        select tries.*, passages.text_hash
        from tries
        inner join passages on passages.passage_key = tries.passage_key
    ) as tries
    anti join training_positives as twin using (query_key, text_hash)
    anti join soft_labels as unsure_twin using (query_key, text_hash)
    anti join positives using (query_key, passage_key)
    anti join duplicates using (query_key, passage_key)
    anti join (select query_key, passage_key from candidates where list_contains($runs, run_id)) as found
        using (query_key, passage_key)
    group by tries.row_number, tries.query_key, tries.passage_key
    qualify turn < $random_negatives
)
select row_number, query_key, passage_key, true as label, 'positive' as kind, turn, 1::float as weight from labelled
union all
select row_number, query_key, passage_key, false, 'hard', turn, null from hard
union all
select row_number, query_key, passage_key, false, 'uncertain', turn, probability from unsure
union all
select row_number, query_key, passage_key, false, 'random', turn, null from strangers;
