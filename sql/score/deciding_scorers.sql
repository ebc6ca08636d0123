-- deciding_scorers: the scorers whose logits alone decide under some cutoffs. Grain: one row per scorer_id.
select distinct scorer_id
from cutoffs
where scorer_id is not null
order by scorer_id;
