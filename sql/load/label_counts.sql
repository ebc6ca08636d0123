-- label_counts: how many lines repeat a label in force, and how many replace one. Grain: one row.
select
    count(*) filter (where repeated) as repeated,
    count(*) filter (where corrects and not repeated) as corrected,
from outcomes
where reason is null;
