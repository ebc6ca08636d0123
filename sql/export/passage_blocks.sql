-- passage_blocks: ranges of $size passage keys each. Grain: one row per block.
select min(passage_key) as first, max(passage_key) as last, count(*) as items
from passages
group by passage_key // $size
order by first;
