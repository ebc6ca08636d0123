"""Readers of the formats in which retrieval data comes: every problem with its file and line."""
