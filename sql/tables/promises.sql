-- promises: cutoffs that keep a promise, as they were found with a calibration. Grain: one row per (calibration_id, side).
create table promises (
    calibration_id varchar not null,
    side varchar not null, -- above: at most this share of the pairs above it is not relevant; below: of those below it is relevant
    cutoff float not null, -- strict, as in cutoffs
    most double not null, -- the promised share
    confidence double not null,
    pairs integer not null, -- judged pairs beyond the cutoff, each of another query: the units of the test
    wrong integer not null, -- those of them that are wrong
    share double not null -- their share, weighted by how rarely such pairs were drawn
);
