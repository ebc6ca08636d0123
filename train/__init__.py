"""Training of the models from the tables: cross-encoder now, dual-encoder to come."""
