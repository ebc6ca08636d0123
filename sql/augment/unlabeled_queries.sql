-- unlabeled_queries: how many queries have no labels. Grain: one row per call.
select count(*) as queries from queries where split = 'unlabeled';
