-- is_judged: whether a candidate without a positive label has a verdict. Grain: one value per call.
-- Denoising does not decide about labelled positives. Nothing is known about unscored candidates. The verdict is that
-- of people (not relevant), of the scorer, or follows from the text: decided_by tells which.
create or replace macro is_judged(decision) as decision not in ('positive', 'unscored');
