"""Reports and labels to instruction records."""
