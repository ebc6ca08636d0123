-- blocks_to_compare: the shards of pairs_to_compare. Grain: one row per block.
select block::integer as block, count(*) as pairs
from pairs_to_compare
group by block
order by block;
