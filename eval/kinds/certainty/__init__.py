"""Certainties of observations in a comparison."""

from eval.kinds.certainty.view import VIEW

__all__ = ["VIEW"]
