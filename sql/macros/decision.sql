-- decision: the outcome for one candidate; the first match wins. Grain: one value per call.
-- relevant: what people said (null: nothing). logit null: nobody scored it. Unknown is never a negative.
-- Source: RocketQA (NAACL 2021) 3.2 and 3.3: both cutoffs strict.
create or replace macro decision(relevant, is_duplicate, labelled, logit, negative_below, positive_above) as
    case
        when relevant then 'positive'
        when is_duplicate then 'duplicate'
        when not relevant then 'hard_negative'
        when logit is null then 'unscored'
        when probability(logit) < negative_below then 'hard_negative'
        when probability(logit) <= positive_above then 'uncertain'
        when labelled then 'false_negative'
        else 'pseudo_positive'
    end;
