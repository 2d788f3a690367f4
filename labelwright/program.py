"""How a command of labelwright speaks and ends: messages, errors as one line, exit codes.

Results go to the standard output; everything else is a message of the logger ``labelwright``, which
a command shows on the standard error and a program that imports labelwright routes as it likes.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from labelwright.errors import LabelwrightError

LOGGER = "labelwright"


class _Lines(logging.Handler):
    """Writes ``labelwright: MESSAGE`` to the standard error, above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        line = f"labelwright: {record.getMessage()}"
        if "tqdm" in sys.modules:
            from tqdm import tqdm

            tqdm.write(line, file=sys.stderr)
            return
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def show_messages() -> None:
    """Show the messages of labelwright on the standard error, as its commands do."""
    logger = logging.getLogger(LOGGER)
    if not any(isinstance(handler, _Lines) for handler in logger.handlers):
        logger.addHandler(_Lines())
    logger.setLevel(logging.INFO)
    logger.propagate = False


def guarded(
    run: Callable[[], int], *, debug: bool, resumes: bool = False, where: bool = False
) -> int:
    """Call ``run``; show what goes wrong as one line, without any report text.

    An unexpected error shows its type only, since its message may quote a report. Of several
    processes of one training the first speaks.

    Args:
        where: show also at which lines of code an unexpected error happened.

    Returns:
        What ``run`` returns; 2 where the user can fix it; 130 when interrupted; 141 when nobody
        reads the standard output.
    """
    try:
        code = run()
        sys.stdout.flush()
        return code
    except LabelwrightError as error:
        if debug:
            raise
        if os.environ.get("RANK", "0") == "0":
            _say(error.line())
        _tell_launcher(error.line())
        return error.exit_code
    except KeyboardInterrupt:
        then = "the same command resumes" if resumes else "run the same command again"
        _say(f"interrupted; {then}")
        return 130
    except BrokenPipeError:
        _drop_output()
        return 141
    except Exception as error:  # the last resort: no traceback with text
        _drop_output()
        if debug:
            raise
        if where:
            sys.stderr.write("".join(traceback.format_tb(error.__traceback__)))
        _say(_unexpected(error))
        _tell_launcher(_unexpected(error))
        return 2


def _say(line: str) -> None:
    sys.stderr.write(f"labelwright: {line}\n")


def _tell_launcher(line: str) -> None:
    """Let torch's launcher of several processes end its report with the line, not ``<N/A>``."""
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not path:
        return
    said = {"message": f"labelwright: {line}", "timestamp": str(int(time.time()))}
    try:
        Path(path).write_text(json.dumps(said), encoding="utf-8")
    except OSError:
        return


def _unexpected(error: Exception) -> str:
    """One line; what the system says of a file or the disk never quotes a report."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f"{error.filename}: "
        return f"{where}{error.strerror}; check the path, its permissions and the space on the disk"
    return (
        f"unexpected {type(error).__name__}; run again with --debug to see where "
        "(the traceback may hold report text)"
    )


def _drop_output() -> None:
    """Forget what cannot be written to the standard output, or the exit would fail on it."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
