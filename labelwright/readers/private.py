"""A private folder for what must lie in files to be read: it goes when the program ends.

Reports stand in it as long as the program runs, readable by their owner only; a program that is
killed leaves it in the system's folder for temporary files.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def private_folder() -> Path:
    """The folder, made at its first use."""
    folder = Path(tempfile.mkdtemp(prefix="labelwright-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def new_folder() -> Path:
    """A new folder in it."""
    return Path(tempfile.mkdtemp(dir=private_folder()))
