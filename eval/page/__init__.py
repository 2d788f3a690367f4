"""The frame of every page: tables, figures, sections, words."""
