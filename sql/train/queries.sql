-- queries: the queries to train on, in the fixed order of their draws. Grain: one row per query with a positive.
-- They are the train queries without those in not_trained_on, and queries of $run that came without labels and were annotated since.
-- place counts from 0. It is null if the run ($run) has no candidate that can be a negative; such queries form no
-- group.
create or replace temp table train_queries as
with labelled as (
    select
        query_key,
        query_id,
        query_key in (select query_key from train_negatives($run)) as usable,
    from training_queries
    where
        query_key in (select query_key from positives)
        and query_key not in (select query_key from not_trained_on)
        and (split = 'train' or query_key in (select query_key from candidates where run_id = $run))
)
select
    query_key,
    query_id,
    case when usable then row_number() over (order by not usable, draw($seed, query_id, ''), query_key) - 1 end as place,
from labelled;
