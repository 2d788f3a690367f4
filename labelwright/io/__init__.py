"""Files: JSON lines, tables, locks, manifests, run and data folders, YAML with lines."""
