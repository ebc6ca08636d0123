-- as_json: the rows of the relation `result`, each as one JSON object. Grain: one row per row of `result`.
select to_json(result)::varchar as json from result;
