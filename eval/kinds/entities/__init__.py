"""Scores, tables and errors of entities."""
