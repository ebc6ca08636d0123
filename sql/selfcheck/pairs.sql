-- pairs: the candidates by which denoising is checked, all of queries that did not train the scorer. Grain: one row per (kind, query_key, passage_key) (temp table pairs).
-- kind: hidden        hidden positives that the retriever found, which are relevant
--       judged        candidates that people judged not relevant. Those that a sample drew are left out: they are from
--                     its strata, and only `curate estimate` knows what they stand for
--       unlabelled    candidates of the queries with a hidden positive about which nobody said anything: most are not relevant
--       random        random passages, hardly one of which is relevant (macros/random_pairs.sql)
-- Only pairs with a probability are here: unscored is unknown. Duplicates of a positive need no score, and are left out.
-- Parameters: $run, $cutoffs, $only_hidden (the other kinds are left out).
create or replace temp table pairs as
with seen as (
    select query_key from seen_by_judges where cutoffs = $cutoffs
),
random as (
    select drawn.query_key, drawn.passage_key, probabilities.probability
    from random_pairs($run) as drawn
    inner join probabilities
        on probabilities.cutoffs = $cutoffs
        and probabilities.query_key = drawn.query_key
        and probabilities.passage_key = drawn.passage_key
    anti join seen on seen.query_key = drawn.query_key
    anti join positives on positives.query_key = drawn.query_key and positives.passage_key = drawn.passage_key
    anti join usable_candidates as candidates
        on candidates.run_id = $run
        and candidates.query_key = drawn.query_key
        and candidates.passage_key = drawn.passage_key
)
select 'hidden' as kind, query_key, passage_key, "rank", probability
from hidden
where is_found and decided_by = 'scorer'
union all
select 'unlabelled', found.query_key, found.passage_key, found."rank", found.probability
from found
semi join hidden on hidden.query_key = found.query_key
where not $only_hidden and found.run_id = $run and found.cutoffs = $cutoffs and found.decided_by = 'scorer'
union all
select 'judged', found.query_key, found.passage_key, found."rank", found.probability
from found
anti join seen on seen.query_key = found.query_key
anti join sample_pairs on sample_pairs.query_key = found.query_key and sample_pairs.passage_key = found.passage_key
where
    not $only_hidden
    and found.run_id = $run
    and found.cutoffs = $cutoffs
    and found.decided_by = 'people'
    and found.decision = 'hard_negative'
    and found.probability is not null
union all
select 'random', query_key, passage_key, null, probability
from random
where not $only_hidden and probability is not null;
