"""Scores, tests and the report page."""
