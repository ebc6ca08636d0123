-- probabilities: the probability of each of $logits under a calibration, in their order. Grain: one row per logit.
select probability(logit::float, $a, $b, $c) as probability
from (select unnest($logits) as logit, generate_subscripts($logits, 1) as place) as given
order by place;
