"""Subgroups of reports."""
