"""What a task kind adds to the page: scores, tables, sections."""
