-- without_design: annotated pairs that no sample drew, so that nobody knows for which candidates they stand. Grain: one row.
select
    count(*) as pairs,
    count(*) filter (where yes > no) as relevant,
    count(*) filter (where yes < no) as irrelevant,
    count(*) filter (where yes = no) as unsure,
from (
    select
        count(*) filter (where annotations.relevant) as yes,
        count(*) filter (where not annotations.relevant) as no,
    from annotations
    anti join sample_pairs
        on sample_pairs.query_key = annotations.query_key and sample_pairs.passage_key = annotations.passage_key
    group by annotations.query_key, annotations.passage_key
) as votes;
