-- import_refused: lines of a run that cannot be taken. Grain: one row per reject.
select line, reason, text from outcomes where reason is not null order by line;
