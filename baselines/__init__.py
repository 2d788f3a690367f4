"""Labelers to compare with: rules, encoders."""
