-- insert_stage: inserts a job's record into the catalogue. Grain: one row per job.
insert into stages values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
