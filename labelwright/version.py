"""The version that is installed, by itself, so that nothing needs the whole package for it.

It comes from the tag of the commit that was built (setuptools-scm): 0.2.0 on ``v0.2.0``,
0.2.1.dev5+g1a2b3c4 five commits later. An editable install keeps the version of the commit
on which it was made.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("labelwright")
except PackageNotFoundError:  # run from a folder on PYTHONPATH, never installed
    __version__ = "0+unknown"
