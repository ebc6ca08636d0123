-- verdicts: the pairs of a sample with the verdicts in force, in the order in which they are judged. Grain: one row per (query_key, passage_key).
-- Only verdicts that name the sample count. Who judged a pair for another reason may have chosen it. elsewhere: those verdicts.
-- Parameters: $sample.
select
    sample_pairs.query_key,
    sample_pairs.stratum,
    coalesce(sample_pairs.probability, 0)::double as probability,
    sample_pairs.inclusion,
    count(*) filter (where annotations.sample_id = $sample and annotations.relevant) as yes,
    count(*) filter (where annotations.sample_id = $sample and not annotations.relevant) as no,
    count(*) filter (where annotations.sample_id = $sample) as judged,
    count(*) filter (
        where annotations.annotator is not null and annotations.sample_id is distinct from $sample
    ) as elsewhere,
from sample_pairs
inner join queries on queries.query_key = sample_pairs.query_key
inner join passages on passages.passage_key = sample_pairs.passage_key
left join annotations
    on annotations.query_key = sample_pairs.query_key and annotations.passage_key = sample_pairs.passage_key
where sample_pairs.sample_id = $sample
group by
    sample_pairs.query_key,
    sample_pairs.passage_key,
    sample_pairs.stratum,
    sample_pairs.probability,
    sample_pairs.inclusion,
    queries.query_id,
    passages.passage_id
order by
    draw(0, queries.query_id, concat('order ', $sample)),
    sample_pairs.query_key,
    draw(0, queries.query_id, concat('order ', passages.passage_id)),
    sample_pairs.passage_key;
