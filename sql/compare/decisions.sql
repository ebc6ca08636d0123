-- decisions: how the two sides of a comparison decide about the same pairs. Grain: one row per pair of decisions.
-- A pair that only one side found has the decision 'not found' on the other.
select
    coalesce(one.decision, 'not found') as first,
    coalesce(other.decision, 'not found') as second,
    count(*) as pairs,
from (select * from sides where side = 1) as one
full outer join (select * from sides where side = 2) as other
    on other.query_key = one.query_key and other.passage_key = one.passage_key
group by all
order by pairs desc, first, second;
