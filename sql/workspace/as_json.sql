-- as_json: the rows of the relation `result` as one JSON object each. Grain: one row per row of it.
select to_json(result)::varchar as json from result;
