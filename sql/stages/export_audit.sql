-- export_audit: what became of a block's questions and candidates. Grain: one row per figure.
with filled as (
    select query_key, count(*) filter (where label = 0) as negatives from export_passages group by query_key
)
select 'queries' as figure, count(*) as amount from filled
union all
select 'queries_short', count(*) from filled where negatives between 1 and $negatives - 1
union all
select 'queries_without_negatives', count(*) from filled where negatives = 0
union all
select 'queries_unlabeled', count(distinct export_found.query_key)
from export_found
inner join export_queries on export_queries.query_key = export_found.query_key
where export_queries.split = 'unlabeled'
union all
select 'queries_pseudo_labelled', count(distinct query_key) from export_positives where positive_source = 'pseudo'
union all
select 'positives', count(*) from export_positives
union all
select 'positives_' || positive_source, count(*) from export_positives group by positive_source
union all
select 'positives_repeated', count(*) from export_positives where repeated
union all
select 'candidates', count(*) from export_found semi join filled on filled.query_key = export_found.query_key
union all
select 'candidates_' || decision, count(*)
from export_found
semi join filled on filled.query_key = export_found.query_key
group by decision
union all
select 'negatives', count(*) from export_negatives;
