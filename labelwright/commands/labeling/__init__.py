"""``labelwright label``: flags, the labeler that they name, the run."""
