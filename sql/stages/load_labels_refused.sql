-- labels_refused: lines of labels that cannot be taken. Grain: one row per reject.
select file, line, reason, text from outcomes where reason is not null order by number;
