-- scores: the ledger, which holds every logit of every scorer. Grain: one row per (scorer_id, query_key, passage_key).
create table scores (
    scorer_id varchar not null,
    query_key integer not null,
    passage_key integer not null,
    logit float not null -- finite; sigmoid(logit) is the probability of relevance
);
