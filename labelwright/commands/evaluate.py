"""``labelwright evaluate``: to be written."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""


def run(arguments: argparse.Namespace) -> int:
    """Run it."""
    raise NotImplementedError
