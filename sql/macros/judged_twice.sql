-- judged_twice: the candidates about which the scores of two scorers decide. Grain: one row per (query_key, passage_key).
-- They are in the judged depth, both have scored them, nobody judged them, and they do not have the text of a positive.
-- Each scorer has its own calibration (macros/scale_of.sql). verdict: irrelevant is below the cutoffs, uncertain between
-- them, relevant above. against_verdict and so on are those of the second scorer.
create or replace macro judged_twice(of_run, of_cutoffs, of_scorer, of_second) as table
with pairs as (
    select
        asked.query_key,
        asked.passage_key,
        asked."rank",
        one.logit,
        second.logit as against_logit,
        probability(one.logit, own.a, own.b, own.c) as probability,
        probability(second.logit, theirs.a, theirs.b, theirs.c) as against,
        cutoffs.negative_below,
        cutoffs.positive_above,
    from usable_candidates as asked
    inner join cutoffs on cutoffs.name = of_cutoffs
    cross join scale_of(of_cutoffs, of_scorer) as own
    cross join scale_of(of_cutoffs, of_second) as theirs
    inner join scores as one
        on one.scorer_id = of_scorer
        and one.query_key = asked.query_key
        and one.passage_key = asked.passage_key
    inner join scores as second
        on second.scorer_id = of_second
        and second.query_key = asked.query_key
        and second.passage_key = asked.passage_key
    anti join judgements
        on judgements.query_key = asked.query_key and judgements.passage_key = asked.passage_key
    anti join duplicates
        on duplicates.query_key = asked.query_key and duplicates.passage_key = asked.passage_key
    where asked.run_id = of_run and asked."rank" <= cutoffs.depth
)
select
    query_key,
    passage_key,
    "rank",
    logit,
    against_logit,
    probability,
    against,
    case
        when probability < negative_below then 'irrelevant'
        when probability <= positive_above then 'uncertain'
        else 'relevant'
    end as verdict,
    case
        when against < negative_below then 'irrelevant'
        when against <= positive_above then 'uncertain'
        else 'relevant'
    end as against_verdict,
from pairs
where probability is not null and against is not null;
