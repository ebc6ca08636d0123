-- usable_candidates: the candidates, without queries that dev or test holds out since their run for training was mined. Grain: one row per (run_id, query_key, passage_key).
create or replace view usable_candidates as
select candidates.run_id, candidates.query_key, candidates.passage_key, candidates.rank, candidates.score
from candidates
anti join withdrawn_queries as withdrawn
    on withdrawn.run_id = candidates.run_id and withdrawn.query_key = candidates.query_key;
