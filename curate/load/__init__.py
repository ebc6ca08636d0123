"""Loading: files of passages, queries and labels become tables."""
