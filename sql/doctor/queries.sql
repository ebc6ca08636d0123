-- queries: the queries that a model is examined with, drawn by their ids. Grain: one row per query.
-- Labelled queries that the model has not seen come first, then others that it has not seen. $path: that of the model in
-- the workspace. A cross-encoder has seen the queries that `judge_queries` names, an encoder that was trained here those
-- of train and the unlabeled ones.
select
    queries.query_key,
    queries.text,
    labelled.query_key is not null as is_labelled,
    coalesce(
        if(
            $role = 'encoder',
            training_of($path) is not null and queries.split in ('train', 'unlabeled'),
            seen.query_key is not null
        ),
        false
    ) as is_seen,
from queries
left join (select distinct query_key from positives) as labelled on labelled.query_key = queries.query_key
left join (
    select distinct query_key from judge_queries where training = training_of($path) and fold is null
) as seen on seen.query_key = queries.query_key
where trim(queries.text) <> ''
order by is_seen, is_labelled desc, draw(0, queries.query_id, 'doctor'), queries.query_key
limit $queries;
