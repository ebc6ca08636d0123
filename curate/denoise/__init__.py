"""Denoising: a cross-encoder scores the candidates, and exposes the false negatives among them."""
