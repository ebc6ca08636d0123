-- current_cutoffs: the cutoffs that apply if none are named, and why. Grain: one row, or none.
select * from current_cutoffs;
