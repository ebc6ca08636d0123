-- splits: what there is to mine for. Grain: one row per split.
select split, count(*) as queries from queries group by split order by split;
