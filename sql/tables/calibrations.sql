-- calibrations: how logits of a scorer become probabilities. Grain: one row per calibration of a scorer.
-- probability = sigmoid(a * ln s(logit) - b * ln s(-logit) + c), where s is the sigmoid (macros/probability.sql).
create table calibrations (
    calibration_id varchar not null, -- the job that made it; of the calibrations of a scorer, the last is the newest
    scorer_id varchar not null,
    a double not null, -- at least 0, as b is: a higher logit is never less probable
    b double not null,
    c double not null,
    form varchar not null, -- platt (a = b), beta, or declared: the user says that logits are log-odds
    evidence varchar not null, -- annotations, labels, both, or declared
    run_id varchar, -- probabilities are those of candidates in the top-k of this run that nobody labelled
    depth integer, -- the k
    queries integer not null, -- none of them trained the scorer
    positives integer not null, -- pairs that people hold relevant
    others integer not null, -- annotations: pairs judged not relevant; labels: unlabelled candidates
    prior double, -- the share of relevant ones among the unlabelled candidates
    seed integer not null,
    log_loss_before double, -- with logits as they are; out of sample, like the next three
    log_loss double,
    error_before double, -- the expected calibration error with logits as they are
    error double
);
