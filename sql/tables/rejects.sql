-- rejects: input rows that could not be taken. Grain: one row per rejected line.
create table rejects (
    file varchar not null,
    line bigint not null, -- from 1; in Parquet the row, from 1
    reason varchar not null,
    text varchar not null -- the beginning of the line
);
