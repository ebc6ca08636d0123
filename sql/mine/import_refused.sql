-- import_refused: lines of a run that are rejected. Grain: one row per reject.
select line, reason, text from outcomes where reason is not null order by line;
