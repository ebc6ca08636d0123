-- repeated_keys: the rows of the current load that are removed because their id is repeated. Grain: one row per repeated row.
select key from repeats order by key;
