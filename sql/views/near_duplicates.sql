-- near_duplicates: the near copies of a positive that are duplicates under the cutoffs. Grain: one row per (cutoffs, query_key, passage_key).
-- They resemble a positive of the query by more than duplicate_above. At 1, which is the default, there is none.
create or replace view near_duplicates as
select distinct cutoffs.name as cutoffs, near_copies.query_key, near_copies.passage_key
from near_copies
inner join cutoffs on cutoffs.duplicate_above < near_copies.resemblance;
