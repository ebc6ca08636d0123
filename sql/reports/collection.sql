-- collection: the size of the collection. Grain: one row.
-- positives: pairs with a relevance above 0, after annotations have overruled qrels.
-- Example: curate sql collection
select
    (select count(*) from passages) as passages,
    (select count(*) from queries) as queries,
    (select count(*) from queries where split = 'unlabeled') as unlabeled,
    (select count(*) from qrels) as qrels,
    (select count(*) from positives) as positives,
    (select count(*) from annotations) as annotations,
    (select count(*) from rejects) as rejects;
