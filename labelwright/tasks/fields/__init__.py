"""Fields: typed values of a document, each led back to the words that say it."""
