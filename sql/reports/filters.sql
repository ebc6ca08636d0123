-- filters: what other filters of false negatives would have kept of the same candidates, and how right that is. Grain: one row per filter.
-- The rules and their sources are in filters/filter_settings.sql, the candidates in filters/filtered_candidates.sql.
-- kept, removed and unknown add up to the candidates. short: the queries of which fewer than $negatives are kept;
-- perhaps_short: those that are short or not, depending on what is unknown.
-- The truth about the candidates is that of filters/verdicts.sql: people's verdicts, or hidden labels.
-- judged: the candidates with a verdict, relevant: those of them that are relevant. kept_judged and kept_relevant: the
-- same of those that the filter keeps. unknown_relevant: the relevant ones of which it is unknown. false_share: the share
-- of relevant ones among the judged that it keeps. caught_share: the share of the judged relevant ones that it removes;
-- null if some are unknown. Both shares count a pair that a sample drew as many times as it stands for.
-- Parameters: $run, $cutoffs, $negatives.
-- Example: curate sql filters -p negatives=8
with truth as (
    -- Labelled positives are no candidates of a filter: what is left is small, so that its join costs little.
    select query_key, passage_key, relevant, weight
    from verdicts($run, $cutoffs)
    anti join (select query_key, passage_key from qrels where relevance > 0) as labelled using (query_key, passage_key)
),
counted as (
    select
        filter,
        query_key,
        count(*) as candidates,
        count(*) filter (where kept) as kept,
        count(*) filter (where kept is null) as unknown,
    from filtered_candidates($run, $cutoffs)
    group by filter, query_key
),
of_filter as (
    select
        filter,
        sum(candidates)::bigint as candidates,
        sum(kept)::bigint as kept,
        sum(unknown)::bigint as unknown,
        count(*) filter (where kept + unknown >= $negatives) as perhaps_enough,
        count(*) filter (where kept >= $negatives) as enough,
    from counted
    group by filter
),
-- Apart from the counts, because few candidates have a verdict: seven more sums over all of them take twice the time.
judged as (
    select
        candidates.filter,
        count(*) as judged,
        count(*) filter (where truth.relevant) as relevant,
        count(*) filter (where candidates.kept) as kept_judged,
        count(*) filter (where candidates.kept and truth.relevant) as kept_relevant,
        count(*) filter (where candidates.kept is null and truth.relevant) as unknown_relevant,
        sum(truth.weight) filter (where truth.relevant) as relevant_weight,
        sum(truth.weight) filter (where not candidates.kept and truth.relevant) as removed_weight,
        sum(truth.weight) filter (where candidates.kept) as kept_weight,
        sum(truth.weight) filter (where candidates.kept and truth.relevant) as false_weight,
    from filtered_candidates($run, $cutoffs) as candidates
    inner join truth on truth.query_key = candidates.query_key and truth.passage_key = candidates.passage_key
    group by candidates.filter
),
asked as (
    select count(distinct query_key) as queries from lowest_positives($run, $cutoffs)
)
select
    filter_settings.filter,
    filter_settings.source,
    of_filter.candidates,
    of_filter.kept,
    of_filter.candidates - of_filter.kept - of_filter.unknown as removed,
    of_filter.unknown,
    round(of_filter.kept / of_filter.candidates, 6) as kept_share,
    asked.queries,
    asked.queries - of_filter.perhaps_enough as short,
    of_filter.perhaps_enough - of_filter.enough as perhaps_short,
    coalesce(judged.judged, 0) as judged,
    coalesce(judged.relevant, 0) as relevant,
    coalesce(judged.kept_judged, 0) as kept_judged,
    coalesce(judged.kept_relevant, 0) as kept_relevant,
    coalesce(judged.unknown_relevant, 0) as unknown_relevant,
    round(coalesce(judged.false_weight, 0)::double / nullif(judged.kept_weight, 0)::double, 6) as false_share,
    case
        when judged.unknown_relevant = 0
            then round(coalesce(judged.removed_weight, 0)::double / nullif(judged.relevant_weight, 0)::double, 6)
    end as caught_share,
from filter_settings
inner join of_filter on of_filter.filter = filter_settings.filter
left join judged on judged.filter = filter_settings.filter
cross join asked
order by filter_settings.place;
