"""Tables and plain files of reports: CSV, Parquet, JSON lines, text files."""
