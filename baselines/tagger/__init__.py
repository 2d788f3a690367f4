"""Encoders that tag words."""
