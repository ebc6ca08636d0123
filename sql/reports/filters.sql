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
        candidates.filter,
        candidates.query_key,
        count(*) as candidates,
        count(*) filter (where candidates.kept) as kept,
        count(*) filter (where not candidates.kept) as removed,
        count(*) filter (where candidates.kept is null) as unknown,
        count(truth.relevant) as judged,
        count(*) filter (where truth.relevant) as relevant,
        count(truth.relevant) filter (where candidates.kept) as kept_judged,
        count(*) filter (where candidates.kept and truth.relevant) as kept_relevant,
        count(*) filter (where candidates.kept is null and truth.relevant) as unknown_relevant,
        sum(truth.weight) filter (where truth.relevant) as relevant_weight,
        sum(truth.weight) filter (where not candidates.kept and truth.relevant) as removed_weight,
        sum(truth.weight) filter (where candidates.kept) as kept_weight,
        sum(truth.weight) filter (where candidates.kept and truth.relevant) as false_weight,
    from filtered_candidates($run, $cutoffs) as candidates
    left join truth
        on truth.query_key = candidates.query_key and truth.passage_key = candidates.passage_key
    group by candidates.filter, candidates.query_key
),
asked as (
    select count(distinct query_key) as queries from lowest_positives($run, $cutoffs)
)
select
    filter_settings.filter,
    filter_settings.source,
    sum(counted.candidates)::bigint as candidates,
    sum(counted.kept)::bigint as kept,
    sum(counted.removed)::bigint as removed,
    sum(counted.unknown)::bigint as unknown,
    round(sum(counted.kept) / sum(counted.candidates), 6) as kept_share,
    any_value(asked.queries) as queries,
    any_value(asked.queries) - count(*) filter (where counted.kept + counted.unknown >= $negatives) as short,
    count(*) filter (where counted.kept < $negatives and counted.kept + counted.unknown >= $negatives) as perhaps_short,
    sum(counted.judged)::bigint as judged,
    sum(counted.relevant)::bigint as relevant,
    sum(counted.kept_judged)::bigint as kept_judged,
    sum(counted.kept_relevant)::bigint as kept_relevant,
    sum(counted.unknown_relevant)::bigint as unknown_relevant,
    round(coalesce(sum(counted.false_weight), 0)::double / nullif(sum(counted.kept_weight), 0)::double, 6)
        as false_share,
    case
        when sum(counted.unknown_relevant) = 0
            then round(
                coalesce(sum(counted.removed_weight), 0)::double / nullif(sum(counted.relevant_weight), 0)::double, 6
            )
    end as caught_share,
from filter_settings
inner join counted on counted.filter = filter_settings.filter
cross join asked
group by filter_settings.place, filter_settings.filter, filter_settings.source
order by filter_settings.place;
