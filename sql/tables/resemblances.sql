-- resemblances: passages that resemble a labelled positive, as far as they were compared. Grain: one row per (positive_key, passage_key).
-- Exact copies are not compared: the view duplicates knows them by their hash.
create table resemblances (
    positive_key integer not null, -- the passage_key of the positive
    passage_key integer not null,
    resemblance float not null -- the shingles that both have in common, as a share of all that either has; at least 0.5
);
