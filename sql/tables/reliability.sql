-- reliability: how often pairs are relevant that have a certain probability. Grain: one row per (calibration_id, part, part_value, calibrated, bin).
-- Each query is asked of a calibration that was fitted without it.
create table reliability (
    calibration_id varchar not null,
    part varchar not null, -- all, retriever or length
    part_value varchar not null, -- all, the name of the retriever, or the words of the passage
    calibrated boolean not null, -- false: the probability is the sigmoid of the logit
    bin integer not null, -- tenths of [0, 1], from 0
    pairs double not null, -- weighted by how rarely such pairs were drawn
    probability double not null, -- the mean of their probabilities
    relevant double not null -- the share of them that is relevant
);
