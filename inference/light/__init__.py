"""Small models read with NumPy alone: no torch is loaded, so the first label comes at once."""
