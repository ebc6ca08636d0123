-- pseudo_label_place: the place of a pseudo-positive among those of its query; the first becomes the pseudo-label. Grain: one value per row.
-- The order is by probability, as in RocketQA's released scripts (NAACL 2021, 3.3), and then by rank.
create or replace macro pseudo_label_place(query, probability, best_rank, passage_key) as
    row_number() over (partition by query order by probability desc, best_rank, passage_key);
