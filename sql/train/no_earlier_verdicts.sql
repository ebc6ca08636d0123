-- no_earlier_verdicts: earlier_verdicts without an earlier judge. Grain: no row.
create or replace temp table earlier_verdicts (
    query_key integer, passage_key integer, probability float, left_out boolean
);
