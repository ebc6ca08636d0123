-- stages: the finished jobs, from tables/stages/*.json. Grain: one row per job.
create or replace table stages (
    job varchar not null,
    stage varchar not null, -- load, mine, train, denoise, ranks, calibrate, cutoffs, use, augment, export, evaluate, sample, or forgotten
    number integer not null, -- 1, 2, ... in the order in which the jobs finished
    settings json not null,
    inputs json not null, -- input -> sha256
    outputs json not null, -- file -> sha256
    facts json not null, -- the counts of the stage
    version varchar not null, -- the version of curate
    finished_at varchar not null, -- UTC
    seconds double not null -- for a resumed job, the time of the last attempt
);
