-- totals: the number of passages, of queries that are passages too, and of queries in each split. Grain: one row per kind of row.
select 'passages' as kind, count(*) as total from passages
union all
select 'own copies', count(*) from own_copies
union all
select split, count(*) from queries group by split;
