"""Mining: the passages that a retriever ranks high become candidates."""
