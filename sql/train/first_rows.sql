-- first_rows: takes all but the first $rows training rows out of train_rows. Grain: a statement.
delete from train_rows where row_number >= $rows;
