-- seen_by_judges: the queries that one of the scorers of cutoffs was trained on. Grain: one row per (cutoffs, query_key).
-- The scorers know them by heart: what these cutoffs decide about them says nothing of other queries.
create or replace view seen_by_judges as
select distinct judges.cutoffs, seen_queries.query_key
from judges
inner join seen_queries on seen_queries.scorer_id = judges.scorer_id;
