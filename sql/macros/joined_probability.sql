-- joined_probability: what several judges say together: one probability, about which the cutoffs decide. Grain: one value per call.
-- how: mean, all or any. probabilities: those of all judges. low, high: the cutoffs.
--   mean  the mean.
--   all   beyond a cutoff only if all judges are: the value between the lowest and the highest that is nearest to the middle.
--   any   beyond a cutoff if one judge is and none is beyond the other cutoff: that judge, the most certain one. Judges
--         who contradict each other meet in the middle, which is uncertain.
-- A judge who is more certain never makes the others less so: the value rises with each of the probabilities.
create or replace macro joined_probability(how, probabilities, low, high) as (
    case
        when how = 'mean' then list_avg(probabilities)
        when how = 'all'
            then greatest(list_min(probabilities), least(list_max(probabilities), (low + high) / 2))
        when how = 'any' and list_min(probabilities) < low and list_max(probabilities) > high then (low + high) / 2
        when how = 'any' and list_min(probabilities) < low then list_min(probabilities)
        when how = 'any' and list_max(probabilities) > high then list_max(probabilities)
        when how = 'any' then list_avg(probabilities)
    end
)::float;
