"""The report folder: page, scores, tables and figures, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from eval.page.agreement_page import AgreementPage
from eval.page.frame import Page, environment
from eval.page.palette import LIGHT, resolved
from labelwright.errors import OutputError
from labelwright.io.jsonl import PRIVATE, atomic_write, write_json, writing
from labelwright.io.lock import LOCK_FILE, locked

PAGE, SCORES, ERRORS, TABLES, FIGURES = (
    "index.html",
    "scores.json",
    "errors.csv",
    "tables",
    "figures",
)
SECTION_FILES = ("calibration.json", "thresholds.json")
OPEN = 0o644
FONT = "text{font-family:Inter,'Helvetica Neue',Arial,sans-serif}"


def write_report(page: Page | AgreementPage, out: Path, *, beside: Collection[str] = ()) -> Path:
    """Write the report into a new, an empty or an earlier report's folder; return the page.

    ``scores.json`` comes last, so its existence means that the report is whole. A page that
    holds report text can be read by its owner only. ``beside``: as for :func:`check_folder`.

    Raises:
        OutputError: the folder holds other files or cannot be written.
    """
    made = not out.exists()
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    try:
        with locked(out):
            check_folder(out, beside=beside)
            _clear(out)
            try:
                _write_all(page, out)
            except BaseException:
                with suppress(OutputError):  # half a report would pass for foreign files
                    _clear(out)
                raise
    except BaseException:
        if made and not any(out.iterdir()):
            out.rmdir()
        raise
    return out / PAGE


def _write_all(page: Page | AgreementPage, out: Path) -> None:
    with writing(out):
        for folder in (out / TABLES, out / FIGURES):
            folder.mkdir(exist_ok=True)
    for table in page.tables:
        _write(out / TABLES / f"{table.name}.csv", table.to_csv())
        _write(out / TABLES / f"{table.name}.tex", table.to_latex())
    style = f"svg{{background:{LIGHT['paper']}}}{FONT}" + resolved(
        environment().get_template("figure.css").render()
    )
    for name, drawing in page.drawings.items():
        _write(out / FIGURES / f"{name}.svg", drawing.canvas.standalone(style))
    for section in page.sections:
        for table in section.data_tables:
            _write(out / TABLES / f"{table.name}.csv", table.to_csv())
        for number, drawing in enumerate(section.figures, 1):
            name = f"{section.id}-{number}.svg"
            _write(out / FIGURES / name, drawing.canvas.standalone(style))
        for name, value in section.files.items():
            write_json(out / name, value)
    wrong = page.errors()
    if wrong is not None:
        _write(out / ERRORS, wrong)
    _write(out / PAGE, page.html, mode=OPEN if page.texts is None else PRIVATE)
    write_json(out / SCORES, page.scores())


def check_folder(out: Path, *, beside: Collection[str] = ()) -> None:
    """Refuse a folder that holds anything but an earlier report.

    Args:
        beside: names in the folder that are no part of a report and may stay there.

    Raises:
        OutputError: it does, or is no folder.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError("a file of this name exists", remedy="choose another --out", source=out)
    known = {LOCK_FILE, *beside}
    if any(path.name not in known for path in out.iterdir()) and not _is_report(out / SCORES):
        raise OutputError(
            "the folder holds files that are no earlier report",
            remedy="choose another --out, or empty it",
            source=out,
        )


def _clear(out: Path) -> None:
    """Remove an earlier report: what it had more than the new one must not stay beside it."""
    with writing(out):
        for pattern in (
            SCORES,
            PAGE,
            ERRORS,
            *SECTION_FILES,
            f"{TABLES}/*.csv",
            f"{TABLES}/*.tex",
            f"{FIGURES}/*.svg",
        ):
            for old in out.glob(pattern):
                old.unlink()
        for folder in (out / TABLES, out / FIGURES):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _is_report(path: Path) -> bool:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and "labelwright" in value and "signature" in value


def _write(path: Path, text: str, *, mode: int = OPEN) -> None:
    with atomic_write(path, mode=mode) as handle:
        handle.write(text)
