"""Annotated reports as annotation tools write them: their words, their tags, their files."""
