-- qrels: the labels in force. Grain: one row per judged (query_key, passage_key).
-- Of a pair's labels the newest counts. Labels of train do not count for a query that dev or test holds out, nor do
-- those of dev for a query that test holds out.
create or replace view qrels as
select
    stored_qrels.query_key,
    stored_qrels.passage_key,
    stored_qrels.relevance,
    stored_qrels.split,
    stored_qrels.source,
from stored_qrels
left join held_out on held_out.query_key = stored_qrels.query_key
anti join (select * from stored_qrels where corrects) as newer
    on newer.query_key = stored_qrels.query_key
    and newer.passage_key = stored_qrels.passage_key
    and newer.split = stored_qrels.split
    and newer.revision > stored_qrels.revision
where stored_qrels.split = coalesce(held_out.split, 'train');
