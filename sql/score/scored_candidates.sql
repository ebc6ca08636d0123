-- scored_candidates: writes the candidates of some shards, each with a scorer's logit, to a file. Grain: one row per (run_id, query_key, passage_key).
-- logit: null if the scorer has not seen the pair. The rows are in the order in which candidates are stored, so that they
-- take little room.
copy (
    select
        candidate_shards.run_id,
        candidate_shards.query_key,
        candidate_shards.passage_key,
        candidate_shards.rank,
        candidate_shards.score,
        $scorer::varchar as scorer_id,
        scores.logit,
    from candidate_shards
    left join scores
        on scores.scorer_id = $scorer
        and scores.query_key = candidate_shards.query_key
        and scores.passage_key = candidate_shards.passage_key
    order by candidate_shards.run_id, candidate_shards.query_key, candidate_shards.rank, candidate_shards.passage_key
) to $path (format parquet, compression zstd);
