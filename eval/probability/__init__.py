"""Calibration and selective labeling."""
