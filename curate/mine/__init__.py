"""Mining: the passages that a retriever ranks highest become candidates."""
