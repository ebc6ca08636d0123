-- is_judged: whether a candidate without a positive label has a verdict. Grain: one value per call.
-- Labelled positives are no query of denoising, and of unscored candidates nobody knows what they are.
create or replace macro is_judged(decision) as decision not in ('positive', 'unscored');
