-- splits: the splits and the number of queries in each. Grain: one row per split.
select split, count(*) as queries from queries group by split order by split;
