"""Scores and tables of certainty labels."""
