"""Similar reports: embedders, the index, and neighbours in prompts."""
