-- near_duplicates: passages that the cutoffs hold to be copies of a positive, though not exact ones. Grain: one row per (cutoffs, query_key, passage_key).
-- They resemble a positive of the query by more than duplicate_above. At 1, which is the default, there is none.
create or replace view near_duplicates as
select distinct cutoffs.name as cutoffs, positives.query_key, resemblances.passage_key
from resemblances
inner join cutoffs on cutoffs.duplicate_above < resemblances.resemblance
inner join positives on positives.passage_key = resemblances.positive_key;
