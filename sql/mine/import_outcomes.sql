-- import_outcomes: the outcome of each line of a run made elsewhere. Grain: one row per line.
create or replace temp table outcomes as
select
    run_lines.line,
    run_lines.query_id || ' ' || run_lines.passage_id as text,
    queries.query_key,
    queries.split,
    passages.passage_key,
    run_lines.score as score,
    case
        when queries.query_key is null then 'unknown query id: ' || run_lines.query_id
        when passages.passage_key is null then 'unknown passage id: ' || run_lines.passage_id
        when row_number() over (partition by run_lines.query_id, run_lines.passage_id order by run_lines.line) > 1
            then 'query and passage repeat an earlier line'
    end as reason,
from run_lines
left join queries on queries.query_id = run_lines.query_id
left join passages on passages.passage_id = run_lines.passage_id;
