"""The rule-based labeler."""
