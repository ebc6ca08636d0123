-- repeats_refused: repeated rows that differ from the first row of their id. Grain: one row per reject.
select
    origins.file,
    origins.line,
    concat(repeats.reason, ': first ', coalesce('at ' || original.file || ':' || original.line, 'in an earlier load')) as reason,
    concat(repeats.id, ' ', repeats.beginning) as text,
from repeats
inner join origins on origins.key = repeats.key
left join origins as original on original.key = repeats.first_key
where not repeats.same
order by repeats.key;
