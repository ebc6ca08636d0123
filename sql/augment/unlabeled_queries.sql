-- unlabeled_queries: the number of queries without labels. Grain: one row per call.
select count(*) as queries from queries where split = 'unlabeled';
