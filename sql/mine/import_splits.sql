-- import_splits: the splits whose queries a run made elsewhere answers. Grain: one row per split.
select split, count(*) as lines from outcomes where reason is null group by split order by split;
