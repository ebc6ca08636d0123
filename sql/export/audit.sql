-- audit: the outcomes of a block's queries and candidates. Grain: one row per figure.
-- candidates: every pair that the runs found within the judged depth, as in `found` and in the reports.
with filled as (
    select query_key, count(*) filter (where label = 0) as negatives from export_passages group by query_key
)
select 'queries' as figure, count(*) as amount from filled
union all
select 'queries_short', count(*) from filled where negatives between 1 and $negatives - 1
union all
select 'queries_without_negatives', count(*) from filled where negatives = 0
union all
select 'queries_unlabeled', count(distinct found_pairs.query_key)
from found_pairs
inner join training_queries on training_queries.query_key = found_pairs.query_key
where training_queries.split = 'unlabeled'
union all
select 'queries_pseudo_labelled', count(distinct query_key) from training_positives where positive_source = 'pseudo'
union all
select 'positives', count(*) from export_positives
union all
select 'positives_' || positive_source, count(*) from export_positives group by positive_source
union all
select 'positives_repeated', count(*) from export_positives where repeated
union all
select 'positives_left_out', (select count(*) from training_positives) - (select count(*) from export_positives)
union all
select 'positives_of_one_query', coalesce(max(positives), 0)
from (select count(*) as positives from export_positives group by query_key) as counted
union all
select 'candidates', count(*) from found_pairs
union all
select 'candidates_' || decision, count(*) from found_pairs group by decision
union all
select 'candidates_judged', count(*) from found_pairs where is_judged(decision)
union all
select 'candidates_judged_irrelevant', count(*) from found_pairs where is_judged(decision) and decided_by = 'people'
union all
select 'candidates_unjudged', count(*) from found_pairs where is_judged(decision) and decided_by <> 'people'
union all
select 'candidates_denoised', count(*) from found_pairs where is_denoised(decision)
union all
select 'negatives', count(*) from export_negatives;
