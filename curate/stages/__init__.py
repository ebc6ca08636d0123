"""The stages: each turns input shards into output shards, resumable and without overwriting."""
