"""``labelwright grid``: many trainings of one comparison."""
