-- wilson: the 95 % interval of a share that was seen in some independent pairs, as a struct of low and high. Grain: one value per call.
-- It stays within [0, 1], and has a width also where the share is 0 or 1. Null without pairs. Source: Wilson, JASA 22 (1927).
create or replace macro wilson(share, pairs) as
    case
        when pairs > 0 then {
            'low': greatest(
                (
                    share + 1.920729 / pairs
                    - sqrt(3.841459 / pairs * (share * (1 - share) + 0.960365 / pairs))
                ) / (1 + 3.841459 / pairs),
                0
            ),
            'high': least(
                (
                    share + 1.920729 / pairs
                    + sqrt(3.841459 / pairs * (share * (1 - share) + 0.960365 / pairs))
                ) / (1 + 3.841459 / pairs),
                1
            )
        }
    end;
