-- agreement: where two scorers decide otherwise about candidates. Grain: one row per part and band.
-- It is about the candidates in the judged depth that both have scored (macros/judged_twice.sql), each by its own
-- calibration.
-- part: all, length (words of the passage), overlap (share of the query's different words that are in the passage),
-- retriever (a pair that several sources of a run found counts for each) or rank.
-- irrelevant, uncertain and relevant are below, between and above the cutoffs; the first word is the verdict of $scorer,
-- the second that of $against. kappa is Cohen's: the agreement beyond that of two scorers who decide by chance as often
-- as these do; null if both always decide alike. rank_correlation is Spearman's, of all logits of the band, with mean
-- ranks for equal ones.
-- Parameters: $run, $cutoffs, $scorer, $against (ids of scorers).
-- Example: curate sql agreement -p scorer=A -p against=B
with pairs as (
    select * from judged_twice($run, $cutoffs, $scorer, $against)
),
query_words as (
    select queries.query_key, list_distinct(words_of(queries.text)) as words
    from queries
    semi join pairs on pairs.query_key = queries.query_key
),
passage_words as (
    select passages.passage_key, words_of(passage_text(passages.title, passages.text)) as words
    from passages
    semi join pairs on pairs.passage_key = passages.passage_key
),
sizes (first, last, band) as (
    values
        (0, 25, 'up to 25 words'),
        (26, 50, '26 to 50 words'),
        (51, 100, '51 to 100 words'),
        (101, 200, '101 to 200 words'),
        (201, 400, '201 to 400 words'),
        (401, 2147483647, 'over 400 words')
),
shared (quarter, band) as (
    values
        (0, 'overlap up to 25 %'),
        (1, 'overlap 26 to 50 %'),
        (2, 'overlap 51 to 75 %'),
        (3, 'overlap 76 to 100 %')
),
ranges (first, last, band) as (
    values
        (1, 1, 'rank 1'),
        (2, 3, 'rank 2 to 3'),
        (4, 5, 'rank 4 to 5'),
        (6, 10, 'rank 6 to 10'),
        (11, 20, 'rank 11 to 20'),
        (21, 50, 'rank 21 to 50'),
        (51, 100, 'rank 51 to 100'),
        (101, 2147483647, 'rank over 100')
),
parts as (
    select pairs.*, 1 as step, 'all' as part, 0 as place, 'all' as band
    from pairs
    union all
    select pairs.*, 2 as step, 'length' as part, sizes.first as place, sizes.band
    from pairs
    inner join passage_words on passage_words.passage_key = pairs.passage_key
    inner join sizes on len(passage_words.words) between sizes.first and sizes.last
    union all
    select pairs.*, 3 as step, 'overlap' as part, shared.quarter as place, shared.band
    from pairs
    inner join query_words on query_words.query_key = pairs.query_key and len(query_words.words) > 0
    inner join passage_words on passage_words.passage_key = pairs.passage_key
    -- Whole numbers alone: 4 * shared / all, of which just a quarter is still in the first band.
    inner join shared
        on shared.quarter = greatest(
            (4 * len(list_intersect(query_words.words, passage_words.words)) - 1) // len(query_words.words), 0
        )
    union all
    select pairs.*, 4 as step, 'retriever' as part, 0 as place, sources.retriever as band
    from pairs
    inner join (select distinct query_key, passage_key, retriever from candidate_sources where run_id = $run) as sources
        on sources.query_key = pairs.query_key and sources.passage_key = pairs.passage_key
    union all
    select pairs.*, 5 as step, 'rank' as part, ranges.first as place, ranges.band
    from pairs
    inner join ranges on pairs."rank" between ranges.first and ranges.last
),
ranked as (
    select
        *,
        -- Twice the mean rank of equal logits, which is a whole number.
        2 * rank() over by_logit + count(*) over same_logit - 1 as twice_rank,
        2 * rank() over by_against + count(*) over same_against - 1 as twice_against_rank,
    from parts
    window
        by_logit as (partition by part, band order by logit),
        same_logit as (partition by part, band, logit),
        by_against as (partition by part, band order by against_logit),
        same_against as (partition by part, band, against_logit)
),
counted as (
    select
        step,
        part,
        place,
        band,
        count(*)::hugeint as pairs,
        count(*) filter (where verdict = against_verdict) as alike,
        count(*) filter (where verdict = 'irrelevant' and against_verdict = 'irrelevant') as irrelevant_irrelevant,
        count(*) filter (where verdict = 'irrelevant' and against_verdict = 'uncertain') as irrelevant_uncertain,
        count(*) filter (where verdict = 'irrelevant' and against_verdict = 'relevant') as irrelevant_relevant,
        count(*) filter (where verdict = 'uncertain' and against_verdict = 'irrelevant') as uncertain_irrelevant,
        count(*) filter (where verdict = 'uncertain' and against_verdict = 'uncertain') as uncertain_uncertain,
        count(*) filter (where verdict = 'uncertain' and against_verdict = 'relevant') as uncertain_relevant,
        count(*) filter (where verdict = 'relevant' and against_verdict = 'irrelevant') as relevant_irrelevant,
        count(*) filter (where verdict = 'relevant' and against_verdict = 'uncertain') as relevant_uncertain,
        count(*) filter (where verdict = 'relevant' and against_verdict = 'relevant') as relevant_relevant,
        -- Whole numbers, so that their sums do not depend on the order.
        sum(twice_rank::hugeint * twice_against_rank) * count(*) - sum(twice_rank) * sum(twice_against_rank) as covariance,
        sum(twice_rank::hugeint * twice_rank) * count(*) - sum(twice_rank) * sum(twice_rank) as variance,
        sum(twice_against_rank::hugeint * twice_against_rank) * count(*)
        - sum(twice_against_rank) * sum(twice_against_rank) as against_variance,
    from ranked
    group by step, part, place, band
),
chance as (
    select
        *,
        -- Of pairs x pairs, those in which two scorers decide alike if they decide by chance, as often as these do.
        (irrelevant_irrelevant + irrelevant_uncertain + irrelevant_relevant)::hugeint
        * (irrelevant_irrelevant + uncertain_irrelevant + relevant_irrelevant)
        + (uncertain_irrelevant + uncertain_uncertain + uncertain_relevant)::hugeint
        * (irrelevant_uncertain + uncertain_uncertain + relevant_uncertain)
        + (relevant_irrelevant + relevant_uncertain + relevant_relevant)::hugeint
        * (irrelevant_relevant + uncertain_relevant + relevant_relevant) as by_chance,
    from counted
)
select
    part,
    band,
    pairs::bigint as pairs,
    alike,
    round(alike / pairs, 6) as agreement,
    round((pairs - alike) / pairs, 6) as disagreement,
    round((alike * pairs - by_chance) / nullif(pairs * pairs - by_chance, 0), 4) as kappa,
    round(covariance / nullif(sqrt(variance::double) * sqrt(against_variance::double), 0), 4) as rank_correlation,
    irrelevant_irrelevant,
    irrelevant_uncertain,
    irrelevant_relevant,
    uncertain_irrelevant,
    uncertain_uncertain,
    uncertain_relevant,
    relevant_irrelevant,
    relevant_uncertain,
    relevant_relevant,
from chance
order by step, place, band;
