"""Trainers for the cross-encoder and the dual-encoder, and the recipe that runs every stage."""
