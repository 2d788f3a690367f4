"""``labelwright review``: the app in which people correct labels."""
