-- draw: a pseudo-random number that orders pairs in the same way on every machine. Grain: one value per call.
-- The separator keeps ('a', 'bc') and ('ab', 'c') apart.
create or replace macro draw(seed, query_id, passage_id) as
    md5_number(concat(seed, chr(31), query_id, chr(31), passage_id));
