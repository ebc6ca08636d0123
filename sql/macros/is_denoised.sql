-- is_denoised: whether denoising took a candidate out of the negatives: judged, and no hard negative. Grain: one value per call.
-- Source: RocketQA (NAACL 2021) 3.2.
create or replace macro is_denoised(decision) as is_judged(decision) and decision <> 'hard_negative';
