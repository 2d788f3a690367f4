"""Labelers around labelers, and what is asked of all of them."""
