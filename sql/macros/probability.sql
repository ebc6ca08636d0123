-- probability: P(relevant) for a logit, a FLOAT in [0, 1]. Grain: one value per call.
create or replace macro probability(logit) as (1 / (1 + exp(-logit::double)))::float;
