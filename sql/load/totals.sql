-- totals: what the workspace holds. Grain: one row per kind of row.
select 'passages' as kind, count(*) as total from passages
union all
select split, count(*) from queries group by split;
