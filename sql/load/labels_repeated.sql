-- labels_repeated: how many lines say again what is known. Grain: one row.
select count(*) as repeated from outcomes where reason is null and repeated;
