-- cutoffs: the settings of the cutoffs in force. Grain: one row per name.
create or replace view cutoffs as
select name, scorer_id, depth, negative_below, positive_above, pseudo_positives, revision
from stored_cutoffs
qualify row_number() over (partition by name order by revision desc) = 1;
