"""Mentions in a text in a comparison."""

from eval.kinds.entities.view import VIEW

__all__ = ["VIEW"]
