-- common_words: the words that more than one in 20 queries of a run's split have, such as "the" and "of", in any language. Grain: one row.
-- They say little about whether a passage answers a query. Up to 1,000 queries are drawn by hash; fewer than 40 tell nothing.
create or replace macro common_words(of_run) as table
with asked as (
    select queries.query_key, words_of(queries.text) as words
    from queries
    inner join runs on runs.run_id = of_run and runs.split = queries.split
    order by draw(0, queries.query_id, 'words'), queries.query_key
    limit 1000
),
used as (
    select query_key, unnest(list_distinct(words)) as word from asked
),
common as (
    select word
    from used
    group by word
    having count(*) > (select count(*) from asked) / 20 and (select count(*) from asked) >= 40
)
select coalesce(list(word order by word), []) as words from common;
