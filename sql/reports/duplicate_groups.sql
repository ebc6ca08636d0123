-- duplicate_groups: passages of the collection that have the same text. Grain: one row per text that several have.
-- Texts that differ only in case, punctuation and white space are the same (text_hash). passages: how many have it.
-- candidates: how often they stand in the top-k of the run, and duplicates how often denoising took one of them away,
-- because another is a labelled positive. groups and repeats, the same in each row: how many such texts there are, and
-- how many passages more than texts. The largest groups come first.
-- Parameters: $run, $cutoffs, $limit.
-- Example: curate sql duplicate_groups -p limit=50
with groups as (
    select text_hash, count(*) as passages, min(passage_key) as first_key
    from passages
    group by text_hash
    having count(*) > 1
),
totals as (
    select count(*) as groups, sum(passages - 1)::bigint as repeats from groups
),
chosen as (
    select * from groups order by passages desc, first_key limit $limit
),
members as (
    select chosen.text_hash, passages.passage_key, passages.passage_id
    from chosen
    inner join passages on passages.text_hash = chosen.text_hash
),
seen as (
    select
        members.text_hash,
        count(*) as candidates,
        count(*) filter (where found.decision = 'duplicate') as duplicates,
    from found
    inner join members on members.passage_key = found.passage_key
    where found.cutoffs = $cutoffs and found.run_id = $run
    group by members.text_hash
),
named as (
    select text_hash, arg_min(passage_id, passage_key, 3) as first_ids
    from members
    group by text_hash
)
select
    chosen.passages,
    named.first_ids,
    coalesce(seen.candidates, 0) as candidates,
    coalesce(seen.duplicates, 0) as duplicates,
    totals.groups,
    totals.repeats,
    passage_text(passages.title, passages.text) as passage,
from chosen
cross join totals
inner join named on named.text_hash = chosen.text_hash
inner join passages on passages.passage_key = chosen.first_key
left join seen on seen.text_hash = chosen.text_hash
order by chosen.passages desc, chosen.first_key;
