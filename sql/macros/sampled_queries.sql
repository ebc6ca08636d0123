-- sampled_queries: labelled queries of a run that a scorer has not seen, by which it is measured if others stop early. Grain: one row per query.
-- At most 100 are drawn by hash, and scored in full. Queries that got all their scores because they found few negatives
-- are no sample: there, the judge would look other than it is. of_path: that of the scorer, which may be new here.
create or replace macro sampled_queries(of_run, of_path) as table
select queries.query_key
from queries
semi join positives on positives.query_key = queries.query_key
semi join (select query_key from usable_candidates where run_id = of_run) as mined on mined.query_key = queries.query_key
anti join (select query_key from trained_queries where training = training_of(of_path)) as seen
    on seen.query_key = queries.query_key
order by draw(0, queries.query_id, 'judge'), queries.query_key
limit 100;
