-- is_denoised: whether a candidate was judged and is not a hard negative. Grain: one value per call.
-- Denoising removes these candidates from the negatives. Source: RocketQA (NAACL 2021) 3.2.
create or replace macro is_denoised(decision) as is_judged(decision) and decision <> 'hard_negative';
