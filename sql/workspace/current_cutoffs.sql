-- current_cutoffs: the setting of the cutoffs in force under a name. Grain: one row, or none.
select name, revision, scorer_id, depth, negative_below, positive_above, pseudo_positives
from cutoffs where name = $name;
