-- insert_stage: puts a job's record into the catalogue. Grain: one row per job.
insert into stages values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
