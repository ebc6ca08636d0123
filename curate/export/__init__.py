"""Exporting: the training set as files that other trainers read."""
