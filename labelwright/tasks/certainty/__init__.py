"""Certainty of observations: positive, negative, uncertain or blank."""
