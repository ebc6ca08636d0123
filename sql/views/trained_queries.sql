-- trained_queries: the queries whose labels a training has seen, or that have the text of one. Grain: one row per (training, query_key).
-- Where nothing says which, as for a dual-encoder or a training that was forgotten, they are all labelled queries that may
-- train. Several judges that score as one have seen none: each query is scored by the one that has not.
create or replace view trained_queries as
with untold as (
    select distinct case when stage = 'forgotten' then settings ->> 'job' else job end as training
    from stages
    where stage = 'train' or (stage = 'forgotten' and starts_with(settings ->> 'job', 'train-'))
),
trained as (
    select training, query_key from judge_queries where fold is null
    union all
    select untold.training, labelled.query_key
    from untold
    anti join judge_queries on judge_queries.training = untold.training
    cross join (
        select distinct positives.query_key
        from positives
        semi join training_queries on training_queries.query_key = positives.query_key
    ) as labelled
)
select distinct trained.training, twins.query_key
from trained
inner join stored_queries as asked on asked.query_key = trained.query_key
inner join stored_queries as twins on twins.text_hash = asked.text_hash;
