-- pseudo_label_place: 1 for the pseudo-positive that a query without labels keeps, then 2, 3, ... Grain: one value per row.
-- The most probable passage, as RocketQA's released scripts choose it (NAACL 2021, 3.3); among equal ones the best rank.
create or replace macro pseudo_label_place(query, probability, best_rank, passage_key) as
    row_number() over (partition by query order by probability desc, best_rank, passage_key);
