-- near_copies: passages that resemble a positive of a query, other than positives and exact copies. Grain: one row per (query_key, passage_key, positive_key).
-- A near copy need not say the same: of two texts made from one template, each is about another thing. So each
-- setting of the cutoffs says from where on a near copy is a duplicate (views/near_duplicates.sql).
-- resemblance: from 0.5 on. A pair of a run that was not denoised since its label came is not compared yet.
create or replace view near_copies as
select positives.query_key, resemblances.passage_key, resemblances.positive_key, resemblances.resemblance
from resemblances
inner join positives on positives.passage_key = resemblances.positive_key
anti join positives as also
    on also.query_key = positives.query_key and also.passage_key = resemblances.passage_key;
