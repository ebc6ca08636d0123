-- share_interval: the 95 % interval of a share of pairs, clustered by query, as a struct of low and high. Grain: one value per call.
-- The queries are the units, because the pairs of a query are alike: it tells what other queries like these would give.
-- hits and total: the sums of the parts and of the wholes of all queries. queries: those with a whole. squares, products
-- and wholes: the sums over queries of hits * hits, hits * total and total * total. Integers, so that their order means
-- nothing. Source: the interval of Wilson with the effective number of pairs (Franco, Little, Louis and Slud, J. Survey
-- Stat. Methodol. 7, 2019). Null for fewer than 5 queries.
create or replace macro share_interval(hits, total, queries, squares, products, wholes) as
    wilson(hits / total, independent_pairs(hits, total, queries, squares, products, wholes));
