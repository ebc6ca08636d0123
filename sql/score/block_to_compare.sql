-- block_to_compare: the pairs of one shard of pairs_to_compare. Grain: one row per (positive_key, passage_key).
select positive_key, passage_key
from pairs_to_compare
where block = $block
order by positive_key, passage_key;
