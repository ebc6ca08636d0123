-- usable_negatives: the hard negatives of a run that a training can use, with the rank of the first. Grain: one row per (query_key, text_hash).
-- As in a training set (training_set/negatives.sql), passages with equal texts count once, and not at all if the scorer
-- holds one of them relevant.
create or replace macro usable_negatives(of_run, of_cutoffs) as table
select found.query_key, passages.text_hash, min(found."rank") as "rank"
from found
inner join passages on passages.passage_key = found.passage_key
where
    found.run_id = of_run
    and found.cutoffs = of_cutoffs
    and found.decision in ('hard_negative', 'false_negative', 'pseudo_positive')
group by found.query_key, passages.text_hash
having bool_and(found.decision = 'hard_negative');
