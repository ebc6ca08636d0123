"""The SQL of curate: one relation a file, the grain on its first line. Data, no code."""
