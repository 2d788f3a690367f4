"""The grammar that writes synthetic reports with their labels."""
