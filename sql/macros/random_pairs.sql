-- random_pairs: queries of a run, each with a passage drawn by chance. Grain: one row per query_key; none if the run has few queries.
-- Such a passage is hardly ever relevant, so its score shows where the scale of a scorer begins.
create or replace macro random_pairs(of_run) as table
with asked as (
    select queries.query_key, queries.query_id
    from queries
    semi join (select query_key from usable_candidates where run_id = of_run) as mined
        on mined.query_key = queries.query_key
    order by draw(0, queries.query_id, 'random query'), queries.query_key
    limit 100
)
select
    asked.query_key,
    (draw(0, asked.query_id, 'random passage') % sizes.passages)::integer as passage_key,
from asked
cross join (select (max(passage_key) + 1)::uhugeint as passages from passages) as sizes
where (select count(*) from asked) >= 16;
