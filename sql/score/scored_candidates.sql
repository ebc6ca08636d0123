-- scored_candidates: writes the candidates of a run, each with a scorer's logit, to a file. Grain: one row per (run_id, query_key, passage_key).
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
        ledger_shards.logit,
    from candidate_shards
    left join ledger_shards
        on ledger_shards.scorer_id = $scorer
        and ledger_shards.query_key = candidate_shards.query_key
        and ledger_shards.passage_key = candidate_shards.passage_key
    where candidate_shards.run_id = $run
    order by candidate_shards.query_key, candidate_shards.rank, candidate_shards.passage_key
) to $path (format parquet, compression zstd);
