-- decisions: the decision on every candidate under every setting of the cutoffs. Grain: one row per (cutoffs, run_id, query_key, passage_key).
-- This view also has candidates beyond the depth that the cutoffs judge, mostly unscored (within_depth is false).
-- Reports and exports read `found`, which leaves them out.
-- decision: positive | duplicate | unscored | false_negative | pseudo_positive | uncertain | hard_negative
-- decided_by: people | text | scorer, or null for unscored (macros/decided_by.sql).
-- probability: the cross-encoder's P(relevant), or null if it has not scored the pair: the logit in the ledger,
-- by the calibration that the cutoffs use, or what several judges say together (views/probabilities.sql). Another setting is another row in `cutoffs`, and needs no forward pass.
-- Source: RocketQA (NAACL 2021) 3.2 and 3.3. The order of the decisions is in macros/decision.sql.
create or replace view decisions as
with evidence as (
    select
        candidates.cutoffs,
        candidates.run_id,
        candidates.query_key,
        candidates.passage_key,
        candidates.rank,
        candidates.score as retriever_score,
        candidates.probability,
        judgements.relevant,
        coalesce(duplicates.passage_key, near_duplicates.passage_key) is not null as is_duplicate,
        labelled.query_key is not null as labelled,
        candidates.negative_below,
        candidates.positive_above,
        -- As a value, not as a condition: DuckDB then drops deeper candidates before the joins (measured: 40 % less
        -- time at half the depth). A comparison alone becomes an inequality join, which costs more than it saves.
        case when candidates.rank <= candidates.depth then true else false end as within_depth,
    from judged_candidates as candidates
    left join judgements
        on judgements.query_key = candidates.query_key and judgements.passage_key = candidates.passage_key
    left join duplicates
        on duplicates.query_key = candidates.query_key and duplicates.passage_key = candidates.passage_key
    left join near_duplicates
        on near_duplicates.cutoffs = candidates.cutoffs
        and near_duplicates.query_key = candidates.query_key
        and near_duplicates.passage_key = candidates.passage_key
    left join (select distinct query_key from positives) as labelled
        on labelled.query_key = candidates.query_key
)
select
    cutoffs,
    run_id,
    query_key,
    passage_key,
    rank,
    retriever_score,
    probability,
    decision(relevant, is_duplicate, labelled, probability, negative_below, positive_above) as decision,
    decided_by(relevant, is_duplicate, probability) as decided_by,
    within_depth,
from evidence;
