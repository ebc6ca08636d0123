-- probabilities: P(relevant) of every scored pair under every setting of the cutoffs. Grain: one row per (cutoffs, query_key, passage_key).
-- Of several judges it is what they say together (macros/joined_probability.sql). If one of them has not scored a pair,
-- its probability might be anything from 0 to 1: if every such value leads to the same decision, the probability is the
-- middle of what it can be, else it is null, so that the pair is unscored.
-- logit: that of the only judge, or null if there are several.
create or replace view probabilities as
with known as (
    select
        judges.cutoffs,
        scores.query_key,
        scores.passage_key,
        list(probability(scores.logit, judges.a, judges.b, judges.c) order by judges.scorer_id) as by_judge,
    from judges
    inner join cutoffs on cutoffs.name = judges.cutoffs and cutoffs.joined is not null
    inner join scores on scores.scorer_id = judges.scorer_id
    group by judges.cutoffs, scores.query_key, scores.passage_key
),
bounds as (
    select
        known.cutoffs,
        known.query_key,
        known.passage_key,
        cutoffs.negative_below,
        cutoffs.positive_above,
        list_filter(known.by_judge, lambda value: value is not null) as given,
        list_resize([]::float[], len(cutoffs.judges) - len(given), 0) as at_least,
        list_resize([]::float[], len(cutoffs.judges) - len(given), 1) as at_most,
        joined_probability(
            cutoffs.joined, list_concat(given, at_least), cutoffs.negative_below, cutoffs.positive_above
        ) as least,
        joined_probability(
            cutoffs.joined, list_concat(given, at_most), cutoffs.negative_below, cutoffs.positive_above
        ) as most,
    from known
    inner join cutoffs on cutoffs.name = known.cutoffs
)
select
    cutoffs.name as cutoffs,
    scores.query_key,
    scores.passage_key,
    probability(scores.logit, cutoffs.a, cutoffs.b, cutoffs.c) as probability,
    scores.logit,
from cutoffs
inner join scores on scores.scorer_id = cutoffs.scorer_id
union all
select
    cutoffs,
    query_key,
    passage_key,
    case
        when
            decision(null, false, true, least, negative_below, positive_above)
            = decision(null, false, true, most, negative_below, positive_above)
            then ((least::double + most) / 2)::float
    end as probability,
    null::float as logit,
from bounds;
