-- hidden_positives: what denoising would decide about the labelled positives if nobody had labelled them. Grain: one row per hidden positive.
-- These are the pairs that `curate selfcheck` hides: of each query of the run that did not train the scorer all positives
-- of the qrels but one, or its only one (macros/hidden_positives.sql). is_found: whether the pair is in the judged
-- depth; rank: null if the retriever did not find it at all. The first rows are those that denoising would take for
-- hard negatives.
-- Parameters: $run, $cutoffs, $share (the part of the queries), $seed (another one hides others).
-- Example: curate sql hidden_positives -p share=0.5
select
    queries.query_id,
    passages.passage_id,
    hidden."rank",
    hidden.is_found,
    round(hidden.probability::double, 4) as probability,
    hidden.decision,
    queries.text as query,
    passage_text(passages.title, passages.text) as passage,
from hidden_positives($run, $cutoffs, $share, $seed) as hidden
inner join queries on queries.query_key = hidden.query_key
inner join passages on passages.passage_key = hidden.passage_key
order by
    hidden.is_found desc,
    hidden.decision <> 'hard_negative',
    hidden.probability,
    hidden.query_key,
    hidden.passage_key;
