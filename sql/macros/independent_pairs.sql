-- independent_pairs: how many independent pairs would tell as much of a share as the pairs of some queries, which are alike. Grain: one value per call.
-- Parameters: the sums over the queries that macros/share_interval.sql gives. The variance is that of a ratio (Cochran, Sampling Techniques, 1977, 6.4). If
-- there is none, because no pair or every pair counts, each query is one pair. For few queries there are fewer, by the
-- square of the normal quantile over that of Student's t, in its expansion. Null for fewer than 5 queries: they tell nothing.
create or replace macro independent_pairs(hits, total, queries, squares, products, wholes) as
    case
        when queries >= 5 and total > 0
            then least(
                coalesce(
                    hits / total * (1 - hits / total) * total * total * (queries - 1) / queries
                    / nullif(
                        -- Times total * total, in integers: a variance of 0 is exactly 0, however many queries there are.
                        squares::hugeint * total::hugeint * total::hugeint
                        - 2 * hits::hugeint * total::hugeint * products::hugeint
                        + hits::hugeint * hits::hugeint * wholes::hugeint,
                        0
                    )
                    * total
                    * total,
                    queries
                ),
                total
            ) / power(1 + 1.210365 / (queries - 1) + 1.440077 / power(queries - 1, 2), 2)
    end;
