"""Ablations and grids."""
