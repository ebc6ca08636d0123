-- leaked_queries: unlabeled queries whose text also occurs in dev or test. Grain: one row per query_key.
-- They get no pseudo-label, because training on them would be training on the evaluation.
create or replace view leaked_queries as
select query_key
from queries
where split = 'unlabeled'
    and text_hash in (select text_hash from queries where split in ('dev', 'test'));
