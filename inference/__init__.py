"""Labeling with a model, and the batch runner for every labeler."""
