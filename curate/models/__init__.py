"""Encoders and cross-encoders: the settings in their files, and their forward passes."""
