-- kept_probabilities: the rows of `probabilities` that reports on one run ask for, kept so that they need one look at the ledger. Grain: one row per (query_key, passage_key).
-- They are those of labelled positives and of random passages. Parameters: $run, $cutoffs.
create or replace temp table kept_probabilities as
with asked as (
    select query_key, passage_key from positives
    union
    select query_key, passage_key from random_pairs($run)
)
select query_key, passage_key, probability, logit
from probabilities
semi join asked using (query_key, passage_key)
where cutoffs = $cutoffs;
