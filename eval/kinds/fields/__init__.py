"""Typed fields of a document in a comparison."""

from eval.kinds.fields.view import VIEW

__all__ = ["VIEW"]
