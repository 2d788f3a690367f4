"""Task kinds: what is asked of a report, how it is answered, written and read."""
