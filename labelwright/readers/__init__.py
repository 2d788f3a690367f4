"""Readers of report files, one module per format; all stream reports and rejects."""
