"""Which split a report belongs to, and what must not leak."""
