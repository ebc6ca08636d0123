-- unlabeled_queries: how many questions have no labels. Grain: one row per call.
select count(*) as questions from queries where split = 'unlabeled';
