-- totals: the number of passages, and of queries in each split. Grain: one row per kind of row.
select 'passages' as kind, count(*) as total from passages
union all
select split, count(*) from queries group by split;
