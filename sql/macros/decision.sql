-- decision: the decision on one candidate; the first match wins. Grain: one value per call.
-- relevant is people's verdict (null: none). A null probability means that no scorer has seen the pair, which is never a
-- negative. Source: RocketQA (NAACL 2021) 3.2 and 3.3, where both cutoffs are strict.
create or replace macro decision(relevant, is_duplicate, labelled, probability, negative_below, positive_above) as
    case
        when relevant then 'positive'
        when is_duplicate then 'duplicate'
        when not relevant then 'hard_negative'
        when probability is null then 'unscored'
        when probability < negative_below then 'hard_negative'
        when probability <= positive_above then 'uncertain'
        when labelled then 'false_negative'
        else 'pseudo_positive'
    end;
