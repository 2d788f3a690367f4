"""``labelwright index``: similar reports."""
