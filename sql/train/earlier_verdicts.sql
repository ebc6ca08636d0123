-- earlier_verdicts: what an earlier judge thinks of the candidates of $run, by the cutoffs $leave_out and down to their depth. Grain: one row per scored (query_key, passage_key).
-- left_out: it calls the candidate relevant, so that it is no negative of a group, unless people judged it not relevant.
create or replace temp table earlier_verdicts as
select
    probabilities.query_key,
    probabilities.passage_key,
    probabilities.probability,
    probabilities.probability > cutoffs.positive_above as left_out,
from cutoffs
inner join probabilities on probabilities.cutoffs = cutoffs.name
semi join candidates as found
    on found.run_id = $run
    and found.query_key = probabilities.query_key
    and found.passage_key = probabilities.passage_key
    and found.rank <= cutoffs.depth
where cutoffs.name = $leave_out and probabilities.probability is not null;
