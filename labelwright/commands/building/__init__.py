"""``labelwright build``: reports and what is known of them become records."""
