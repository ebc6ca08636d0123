-- beir_corpus: the whole collection as lines of BEIR's JSON. Grain: one row per passage.
select
    to_json({'_id': passage_id, 'title': title, 'text': text, 'metadata': '{}'::json})::varchar || chr(10) as line
from passages
where passage_key between $first and $last
order by passage_key;
