"""Recipes, which are settings for `curate run` that `curate init --recipe NAME` copies."""
