"""Counts, resampling and tests; no task kind."""
