"""Entities: every mention of a type, with its place in the text."""
