-- hidden_positives: labelled positives, hidden from denoising, with what it would then decide about them. Grain: one row per (query_key, passage_key).
-- They belong to queries of the run that no scorer of the cutoffs was trained on. of_share: the part of these queries that
-- is drawn, by hash. Of the positives that the qrels name for a query, one stays, by hash too; a query with only one
-- loses it. What annotators alone found stays: they chose it for some reason.
-- decision, decided_by: those of the pair if nobody had labelled it. is_found: whether it stands in the judged depth.
-- rank: null if the run does not have it at all.
create or replace macro hidden_positives(of_run, of_cutoffs, of_share, of_seed) as table
with seen as (
    select query_key from seen_by_judges where cutoffs = of_cutoffs
),
labelled as (
    select positives.query_key, positives.passage_key
    from positives
    semi join (select query_key, passage_key from qrels where relevance > 0) as named
        on named.query_key = positives.query_key and named.passage_key = positives.passage_key
    semi join (select query_key from usable_candidates where run_id = of_run) as mined
        on mined.query_key = positives.query_key
    anti join seen on seen.query_key = positives.query_key
),
drawn as (
    select queries.query_key, queries.query_id
    from queries
    semi join labelled on labelled.query_key = queries.query_key
    qualify
        row_number() over (order by draw(of_seed, queries.query_id, 'selfcheck'), queries.query_key)
        <= ceil(of_share * count(*) over ())
),
placed as (
    select
        labelled.query_key,
        labelled.passage_key,
        count(*) over (partition by labelled.query_key) as of_query,
        row_number() over (
            partition by labelled.query_key
            order by
                draw(of_seed, drawn.query_id, concat('selfcheck ', passages.passage_id)),
                labelled.passage_key
        ) as place,
    from labelled
    inner join drawn on drawn.query_key = labelled.query_key
    inner join passages on passages.passage_key = labelled.passage_key
),
hidden as (
    select query_key, passage_key from placed where of_query = 1 or place > 1
),
visible as (
    select positives.query_key, positives.passage_key
    from positives
    semi join drawn on drawn.query_key = positives.query_key
    anti join hidden on hidden.query_key = positives.query_key and hidden.passage_key = positives.passage_key
),
-- As in the view duplicates: the texts by which a candidate is known without a score.
known_texts as (
    select visible.query_key, passages.text_hash
    from visible
    inner join passages on passages.passage_key = visible.passage_key
    union
    select stored_queries.query_key, stored_queries.text_hash
    from stored_queries
    semi join drawn on drawn.query_key = stored_queries.query_key
),
-- As in the view near_duplicates.
near_copies_known as (
    select distinct visible.query_key, resemblances.passage_key
    from visible
    inner join resemblances on resemblances.positive_key = visible.passage_key
    inner join cutoffs on cutoffs.name = of_cutoffs and cutoffs.duplicate_above < resemblances.resemblance
),
evidence as (
    select
        hidden.query_key,
        hidden.passage_key,
        candidates."rank",
        coalesce(candidates."rank" <= cutoffs.depth, false) as is_found,
        probabilities.probability,
        coalesce(known_texts.query_key, near.query_key) is not null as is_duplicate,
        exists (select 1 from visible where visible.query_key = hidden.query_key) as is_labelled,
        cutoffs.negative_below,
        cutoffs.positive_above,
    from hidden
    inner join cutoffs on cutoffs.name = of_cutoffs
    inner join passages on passages.passage_key = hidden.passage_key
    left join usable_candidates as candidates
        on candidates.run_id = of_run
        and candidates.query_key = hidden.query_key
        and candidates.passage_key = hidden.passage_key
    left join probabilities
        on probabilities.cutoffs = of_cutoffs
        and probabilities.query_key = hidden.query_key
        and probabilities.passage_key = hidden.passage_key
    left join known_texts
        on known_texts.query_key = hidden.query_key and known_texts.text_hash = passages.text_hash
    left join near_copies_known as near
        on near.query_key = hidden.query_key and near.passage_key = hidden.passage_key
)
select
    query_key,
    passage_key,
    "rank",
    is_found,
    probability,
    decision(null, is_duplicate, is_labelled, probability, negative_below, positive_above) as decision,
    decided_by(null, is_duplicate, probability) as decided_by,
from evidence;
