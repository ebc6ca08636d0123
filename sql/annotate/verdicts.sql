-- verdicts: the pairs of a sample with the verdicts in force. Grain: one row per (query_key, passage_key).
-- Any verdict on a pair counts, however it came here: chance drew the pair, whoever judged it.
-- Parameters: $sample.
select
    sample_pairs.query_key,
    sample_pairs.stratum,
    coalesce(sample_pairs.probability, 0)::double as probability,
    sample_pairs.inclusion,
    count(*) filter (where annotations.relevant) as yes,
    count(*) filter (where not annotations.relevant) as no,
    count(annotations.annotator) as judged,
from sample_pairs
left join annotations
    on annotations.query_key = sample_pairs.query_key and annotations.passage_key = sample_pairs.passage_key
where sample_pairs.sample_id = $sample
group by
    sample_pairs.query_key, sample_pairs.passage_key, sample_pairs.stratum, sample_pairs.probability, sample_pairs.inclusion
order by sample_pairs.query_key, sample_pairs.passage_key;
