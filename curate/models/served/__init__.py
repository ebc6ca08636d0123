"""Scorers behind an address: a rerank route, or a chat route whose model answers yes or no."""
