-- choices: what `curate use` chose, past and present. Grain: one row per choice.
create table choices (
    number integer not null, -- 1, 2, ...; of the rows with one subject, the highest number is in force
    subject varchar not null, -- cutoffs, or the split whose run was chosen
    name varchar -- name of the cutoffs or id of the run; null: back to the automatic rule
);
