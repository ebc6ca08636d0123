-- insert_stages: inserts the jobs' records into the catalogue. Grain: one row per job.
-- $records: a list with a list for each column of `stages`, in the order of the columns, each as text.
insert into stages
select
    unnest($records[1]),
    unnest($records[2]),
    unnest($records[3])::integer,
    unnest($records[4]),
    unnest($records[5]),
    unnest($records[6]),
    unnest($records[7]),
    unnest($records[8]),
    unnest($records[9]),
    unnest($records[10])::double;
