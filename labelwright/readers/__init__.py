"""Readers of report files: whatever the format, a stream of reports and rejects.

>>> from pathlib import Path
>>> from labelwright.readers import ReadOptions, read_reports
>>> items = read_reports([Path("reports.csv")], ReadOptions())  # doctest: +SKIP
"""

from labelwright.readers.formats import FORMATS, Scan, read_reports, scan
from labelwright.readers.options import ReadOptions

__all__ = ["FORMATS", "ReadOptions", "Scan", "read_reports", "scan"]
