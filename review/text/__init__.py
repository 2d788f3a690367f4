"""Words and lines of a note, as the browser shows them."""
