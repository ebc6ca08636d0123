"""Encoders and cross-encoders: what their files say, and their forward passes."""
