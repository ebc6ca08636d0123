-- repeated_keys: what is not to stay of the load in work. Grain: one row per repeated row.
select key from repeats order by key;
