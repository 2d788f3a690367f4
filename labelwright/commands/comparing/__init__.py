"""``labelwright eval``: labelers against gold, on one page."""
