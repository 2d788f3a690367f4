"""How a model is asked: one pass, constrained, free; and with what evidence."""
