-- judge_by_query: the figures of a scorer on queries that it has not seen. Grain: one row per query (macros/judge_by_query.sql).
select * from judge_by_query($run, $depth, $scorer, $negative_below, $positive_above);
