"""Continued pre-training of encoders on masked words: of any text, or of entities alone."""
