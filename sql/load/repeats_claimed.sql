-- repeats_claimed: queries that a repeated row of dev or test names. Grain: one row per query, split and text.
select distinct id as query_id, split, text_hash from repeats where split in ('dev', 'test');
