-- labels_repeated: the number of lines that repeat a known label. Grain: one row.
select count(*) as repeated from outcomes where reason is null and repeated;
