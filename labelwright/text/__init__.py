"""Text: sentences, sections, normalising, and where a mention stands."""
