-- rejects: input lines that were rejected. Grain: one row per rejected line.
create table rejects (
    file varchar not null,
    line bigint not null, -- from 1; for Parquet, Arrow and LlamaIndex, the row from 1
    reason varchar not null,
    text varchar not null -- the beginning of the line, or of what was read from it
);
