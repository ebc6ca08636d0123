-- collection: what was loaded. Grain: one row.
-- positives: labelled pairs above relevance 0, after annotations had their say.
select
    (select count(*) from passages) as passages,
    (select count(*) from queries) as queries,
    (select count(*) from queries where split = 'unlabeled') as unlabeled,
    (select count(*) from qrels) as qrels,
    (select count(*) from positives) as positives,
    (select count(*) from annotations) as annotations,
    (select count(*) from rejects) as rejects;
