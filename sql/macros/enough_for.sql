-- enough_for: the hard negatives after which a query of a run needs no more scores; null: it needs all. Grain: one value per call.
-- Only scoring of runs over train stops early.
create or replace macro enough_for(of_run, of_cutoffs) as (
    select max(cutoffs.enough)
    from cutoffs
    inner join runs on runs.run_id = of_run and runs.split = 'train'
    where cutoffs.name = of_cutoffs
);
