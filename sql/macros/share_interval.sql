-- share_interval: the 95 % interval of a share of pairs, clustered by query, as a struct of low and high. Grain: one value per group of queries.
-- An aggregate over one row per query: hits and total are its part and its whole, in integers, so that the order of the sums
-- means nothing. The queries are the units, because the pairs of a query are alike: it tells what other queries like these
-- would give. Source: the interval of Wilson with the effective number of pairs (Franco, Little, Louis and Slud, J. Survey
-- Stat. Methodol. 7, 2019). Null for fewer than 5 queries with a whole.
create or replace macro share_interval(hits, total) as
    wilson(
        sum(hits) / sum(total),
        independent_pairs(
            sum(hits),
            sum(total),
            count(*) filter (where total > 0),
            sum(hits::bigint * hits),
            sum(hits::bigint * total),
            sum(total::bigint * total)
        )
    );
