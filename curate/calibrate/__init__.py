"""Calibration: what a scorer's logits mean as probabilities, and cutoffs that keep a promise."""
