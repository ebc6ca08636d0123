"""Annotation: samples that people judge, their verdicts, and what these say about all candidates."""
