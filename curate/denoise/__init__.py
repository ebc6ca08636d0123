"""Denoising: a cross-encoder scores the candidates, which shows the false negatives among them."""
