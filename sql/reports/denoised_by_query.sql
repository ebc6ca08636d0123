-- denoised_by_query: what denoising removed, by the kind of query. Grain: one row per part and band.
-- part: length (words of the query; a letter of a script without spaces counts as one) or type (its first word, if it is
-- one of the English question words). For unjudged, denoised and the rates, see denoised_by_rank; intervals are by query.
-- Parameters: $run, $cutoffs.
-- Example: curate sql denoised_by_query -p cutoffs=strict
with per_query as (
    select
        query_key,
        count(*) filter (where decision = 'false_negative') as false_negatives,
        count(*) filter (where is_denoised(decision)) as denoised,
        count(*) filter (where is_judged(decision) and decided_by <> 'people') as unjudged,
        count(*) filter (where decision = 'unscored') as unscored,
    from found
    where cutoffs = $cutoffs and run_id = $run
    group by query_key
),
asked as (
    select per_query.*, words_of(queries.text) as words
    from per_query
    inner join queries on queries.query_key = per_query.query_key
),
sizes (first, last, band) as (
    values
        (0, 3, 'up to 3 words'),
        (4, 6, '4 to 6 words'),
        (7, 9, '7 to 9 words'),
        (10, 14, '10 to 14 words'),
        (15, 24, '15 to 24 words'),
        (25, 2147483647, '25 words or more')
),
types (place, word, band) as (
    values
        (1, 'who', 'who'),
        (1, 'whom', 'who'),
        (1, 'whose', 'who'),
        (2, 'what', 'what'),
        (3, 'which', 'which'),
        (4, 'when', 'when'),
        (5, 'where', 'where'),
        (6, 'why', 'why'),
        (7, 'how', 'how'),
        (8, 'is', 'is, does, can'),
        (8, 'are', 'is, does, can'),
        (8, 'was', 'is, does, can'),
        (8, 'were', 'is, does, can'),
        (8, 'do', 'is, does, can'),
        (8, 'does', 'is, does, can'),
        (8, 'did', 'is, does, can'),
        (8, 'can', 'is, does, can'),
        (8, 'could', 'is, does, can'),
        (8, 'should', 'is, does, can'),
        (8, 'will', 'is, does, can'),
        (8, 'has', 'is, does, can'),
        (8, 'have', 'is, does, can')
),
parts as (
    select asked.*, 1 as step, 'length' as part, sizes.first as place, sizes.band
    from asked
    inner join sizes on len(asked.words) between sizes.first and sizes.last
    union all
    select asked.*, 2 as step, 'type' as part, coalesce(types.place, 9) as place, coalesce(types.band, 'none of these') as band
    from asked
    left join types on types.word = asked.words[1]
),
summed as (
    select
        step,
        part,
        place,
        band,
        count(*) as queries,
        sum(unjudged)::bigint as unjudged,
        sum(denoised)::bigint as denoised,
        sum(false_negatives)::bigint as false_negatives,
        sum(unscored)::bigint as unscored,
        sum(unscored) > 0 and enough_for($run, $cutoffs) is not null as stopped_early,
        count(*) filter (where unjudged > 0) as judged_queries,
        share_interval(false_negatives, unjudged) as false_negative_interval,
        share_interval(denoised, unjudged) as denoised_interval,
    from parts
    group by step, part, place, band
)
select
    part,
    band,
    queries,
    unjudged,
    denoised,
    false_negatives,
    unscored,
    if(stopped_early, null, round(false_negatives / nullif(unjudged, 0), 6)) as false_negative_rate,
    if(stopped_early, null, round(false_negative_interval.low, 6)) as false_negative_low,
    if(stopped_early, null, round(false_negative_interval.high, 6)) as false_negative_high,
    if(stopped_early, null, round(denoised / nullif(unjudged, 0), 6)) as denoised_rate,
    if(stopped_early, null, round(denoised_interval.low, 6)) as denoised_low,
    if(stopped_early, null, round(denoised_interval.high, 6)) as denoised_high,
from summed
order by step, place, band;
