"""The exception tree: every error that a user can cause says what, where and how to fix it.

LabelwrightError            one line for the user, exit code 2
├── InputError              a file or row that cannot be read
├── LabelSetError           a label set, rule or mapping file with mistakes
├── ConfigError             flags or a recipe that cannot work
├── CheckpointError         a model folder that is incomplete or belongs to other labels
├── OutputError             a result that cannot be written
├── ServerError             a model server that cannot be reached or used
└── MissingExtraError       an optional package that is not installed

No message ever holds report text: file, row, column and remedy only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LabelwrightError(Exception):
    """Base of all errors that are shown as one line.

    Args:
        what: what went wrong, without a full stop.
        remedy: what the user can do about it.
        source: the file concerned.
        row: 1-based row (tables: the data row; text files: the line).
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "",
        source: str | Path | None = None,
        row: int | None = None,
    ) -> None:
        self.what = what
        self.remedy = remedy
        self.source = None if source is None else str(source)
        self.row = row
        super().__init__(self.line())

    def line(self) -> str:
        """The message as one line: ``file:row: what; remedy``."""
        where = ""
        if self.source is not None:
            where = self.source + (f":{self.row}" if self.row is not None else "") + ": "
        tail = f"; {self.remedy}" if self.remedy else ""
        return " ".join(f"{where}{self.what}{tail}".split())


class InputError(LabelwrightError):
    """An input file or one of its rows cannot be read."""


class LabelSetError(LabelwrightError):
    """A label set or another YAML table has mistakes; ``problems`` holds one line each."""

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "",
        source: str | Path | None = None,
        row: int | None = None,
        problems: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, remedy=remedy, source=source, row=row)
        self.problems = problems


class ConfigError(LabelwrightError):
    """Flags or a recipe ask for something that cannot work."""


class CheckpointError(LabelwrightError):
    """A model folder lacks a part, or was made for another label set or prompt."""


class OutputError(LabelwrightError):
    """A result cannot be written (disk full, read-only folder, another run's output)."""


class ServerError(LabelwrightError):
    """A model server cannot be reached, refuses the request, or stopped answering."""


class MissingExtraError(LabelwrightError):
    """An optional package is needed.

    Args:
        package: the name that failed to import.
        use: what it is needed for.
        extra: the extra of labelwright that brings it.
    """

    def __init__(self, package: str, use: str, extra: str) -> None:
        super().__init__(
            f"{use} needs the package {package}, which is not installed",
            remedy=f"install it with: pip install -e '.[{extra}]'",
        )


_FLAG = re.compile(r"(?<![\w-])--(?!help)([a-z][\w-]*)")


@contextmanager
def as_keywords() -> Iterator[None]:
    """What is raised in the block speaks of keyword arguments: ``--id-column`` is ``id_column``."""
    try:
        yield
    except LabelwrightError as error:
        error.what, error.remedy = (
            _FLAG.sub(lambda found: found[1].replace("-", "_"), text)
            for text in (error.what, error.remedy)
        )
        error.args = (error.line(),)
        raise
