-- samples: the samples, newest first. Grain: one row per sample.
select samples.*
from samples
inner join stages on stages.job = concat('sample-', samples.sample_id)
order by stages.number desc;
