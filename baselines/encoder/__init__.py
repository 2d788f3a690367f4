"""Encoders with one head per observation."""
