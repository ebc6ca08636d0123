-- decided_by: the evidence for the decision on one candidate. Grain: one value per call.
-- people: qrels or annotations; text: it is that of a positive or of the query; scorer: the probability; null: unscored. The order is
-- that of macros/decision.sql.
create or replace macro decided_by(relevant, is_duplicate, probability) as
    case
        when relevant then 'people'
        when is_duplicate then 'text'
        when not relevant then 'people'
        when probability is not null then 'scorer'
    end;
