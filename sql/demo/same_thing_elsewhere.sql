-- same_thing_elsewhere: which library's passages answer which library's queries without a label. Grain: one row per pair of libraries.
select
    split_part(queries.query_id, '.', 1) as asked_in,
    split_part(passages.passage_id, '.', 1) as answered_in,
    count(*) as false_negatives,
    arg_max(queries.text, decisions.probability) as for_example,
    arg_max(passages.passage_id, decisions.probability) as is_answered_by,
from decisions
inner join runs on runs.run_id = decisions.run_id and runs.retriever = 'hybrid'
inner join queries on queries.query_key = decisions.query_key
inner join passages on passages.passage_key = decisions.passage_key
where decisions.decision = 'false_negative'
group by asked_in, answered_in
having asked_in <> answered_in
order by false_negatives desc, asked_in, answered_in
limit 8
