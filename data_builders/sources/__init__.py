"""Where labels and entities come from."""
