"""Loading files of passages, queries and labels into tables."""
