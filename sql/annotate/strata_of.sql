-- strata_of: the strata of a sample. Grain: one row per stratum.
select * exclude (sample_id) from sample_strata where sample_id = $sample order by stratum;
