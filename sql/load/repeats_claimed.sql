-- repeats_claimed: queries that a repeated row of dev or test names. Grain: one row per query and split.
select distinct id as query_id, split from repeats where split in ('dev', 'test');
