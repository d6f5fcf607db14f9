"""Seed indices: those of a study count from 0, those of its searches from far above."""

INNER_SEED = 1_000_000
"""Seed index of the first training of every configuration: tuning and study never share a seed."""
