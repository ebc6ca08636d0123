"""Exporting: the training set as files for other trainers."""
