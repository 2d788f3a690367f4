"""Annotated notes: BRAT, CoNLL, doccano, Label Studio, JSON lines."""
