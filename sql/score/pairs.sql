-- pairs: a block's pairs that are not in the ledger. Grain: one row per (query_key, passage_key).
select query_key, passage_key
from lacking
where query_key between $first_query and $last_query
order by query_key, passage_key;
