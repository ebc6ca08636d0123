-- groups: the groups that a cross-encoder is trained on, as train_groups. Grain: one row per (group_number, slot).
-- Slot 0 is the positive. Group g is for the query at place g mod n, in epoch g div n. Each window (random 0, far
-- 1, near 2, top 3, judged 5) keeps the order of its draws, which the epoch rotates, so that the next epoch sees other
-- negatives.
-- The slots alternate between the three windows of the phase, and each group starts one window later. An empty
-- window is skipped. The $easy groups come first, with the windows random, far and near; then come groups with
-- far, near and top. top is ranks 1 to 20, near goes on to the geometric mean of 20 and the run's deepest rank,
-- and far is everything deeper. (Measurements showed that a window "top" that shrinks with the depth is full of
-- false negatives.) With $uniform there is one window (4) with everything found, as RocketQA (NAACL 2021) 3.2
-- samples from the top-k.
-- judged is what people judged not relevant. It comes first, in up to half of the slots (rounded down, but at least
-- one): these negatives are certain, but few and mostly hard, and a scorer also has to learn what the others look like.
-- It also fills the slots that the windows leave.
create or replace temp table train_groups as
with epochs as (
    select
        numbers.group_number,
        numbers.group_number // total.queries as epoch,
        numbers.group_number < $easy as is_easy,
        train_queries.query_key,
        train_queries.query_id,
    from (select unnest(range($groups)) as group_number) as numbers
    cross join (select count(place) as queries from train_queries) as total
    inner join train_queries on train_queries.place = numbers.group_number % total.queries
),
sizes as (
    select
        (select max("rank") from candidates where run_id = $run) as depth,
        (select max(passage_key) + 1 from passages)::uhugeint as passages, -- draw % integer would give a DOUBLE
        if($uniform, $negatives, ($negatives + 2) // 3)::integer as a_turn,
        greatest(1, $negatives // 2)::integer as of_people
),
mined as (
    select
        found.query_key,
        found.passage_key,
        case when found."rank" is null then 5 when $uniform then 4 when found."rank" <= 20 then 3 when found."rank" ** 2 <= 20 * sizes.depth then 2 else 1 end as from_window,
        row_number() over (
            partition by found.query_key, from_window
            order by draw($seed, train_queries.query_id, passages.passage_id), found.passage_key
        ) - 1 as position,
        count(*) over (partition by found.query_key, from_window) as size,
    from train_negatives($run) as found
    inner join train_queries on train_queries.query_key = found.query_key
    inner join passages on passages.passage_key = found.passage_key
    cross join sizes
    where train_queries.place < $groups
),
anywhere as (
    select
        epochs.group_number,
        epochs.query_key,
        tries.attempt,
        (draw($seed, epochs.query_id, concat('any passage', chr(31), epochs.epoch, chr(31), tries.attempt)) % sizes.passages)::integer as passage_key,
    from epochs
    cross join (select unnest(range(8)) as attempt) as tries
    cross join sizes
    where epochs.is_easy
),
strangers as (
    select group_number, passage_key,
    from anywhere
    anti join positives using (query_key, passage_key)
    anti join duplicates using (query_key, passage_key)
    anti join judgements using (query_key, passage_key)
    anti join (select query_key, passage_key from candidates where run_id = $run) as found using (query_key, passage_key)
    qualify row_number() over (partition by group_number order by attempt) = 1
),
offered as (
    select
        epochs.group_number,
        mined.passage_key,
        mined.from_window,
        place_in_epoch(
            mined.position, mined.size, epochs.epoch, if(mined.from_window = 5, sizes.of_people, sizes.a_turn)
        ) as turn,
    from epochs
    inner join mined on mined.query_key = epochs.query_key
    cross join sizes
    where turn < $negatives
    union all
    select group_number, passage_key, 0 as from_window, 0 as turn from strangers
),
negatives as (
    select
        offered.group_number,
        row_number() over (
            partition by offered.group_number
            order by
                offered.from_window <> 5 or offered.turn >= sizes.of_people,
                offered.from_window = 5,
                epochs.is_easy and offered.from_window = 3,
                offered.turn,
                (offered.from_window + offered.group_number) % 3,
                offered.passage_key
        ) as slot,
        epochs.query_key,
        offered.passage_key,
        ['random', 'far', 'near', 'top', 'uniform', 'judged'][offered.from_window + 1] as kind,
    from offered
    inner join epochs on epochs.group_number = offered.group_number
    cross join sizes
    qualify slot <= $negatives
),
labelled as (
    select
        positives.query_key,
        positives.passage_key,
        row_number() over (
            partition by positives.query_key
            order by draw($seed, train_queries.query_id, passages.passage_id), positives.passage_key
        ) - 1 as position,
        count(*) over (partition by positives.query_key) as size,
    from positives
    inner join train_queries on train_queries.query_key = positives.query_key
    inner join passages on passages.passage_key = positives.passage_key
)
select group_number, slot, query_key, passage_key, kind from negatives
union all
select epochs.group_number, 0 as slot, epochs.query_key, labelled.passage_key, 'positive' as kind
from epochs
inner join labelled on labelled.query_key = epochs.query_key and labelled.position = epochs.epoch % labelled.size;
