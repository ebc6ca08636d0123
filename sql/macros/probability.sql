-- probability: P(relevant) for a logit and a calibration, a FLOAT in [0, 1]. Grain: one value per call.
-- sigmoid(a * ln s(logit) - b * ln s(-logit) + c) with s the sigmoid: beta calibration (Kull et al. 2017), of which Platt's
-- is a = b. With a = b = 1 and c = 0 it is the sigmoid of the logit, to the last bit. No logit or no calibration: null.
-- As ln s(x) = x + ln s(-x), the exponent has the form below, in which nothing overflows.
create or replace macro probability(logit, a, b, c) as (
    1 / (1 + exp(-(
        b * logit::double + c
        + case when a = b then 0 else (b - a) * (greatest(-logit::double, 0) + ln(1 + exp(-abs(logit::double)))) end
    )))
)::float;
