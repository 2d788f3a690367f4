"""Cut reports to the sections that a labeler was made for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from labelwright.errors import ConfigError
from labelwright.records import Reject, Report
from labelwright.results import manifest_beside
from labelwright.text.section_headings import BODY
from labelwright.text.sections import SECTION_CHOICES, choose, split_sections


def left_to_cut(paths: Sequence[Path], choice: str) -> str:
    """What is still to be cut from these files: nothing if ``labelwright build`` did it.

    The reports of a data folder hold the chosen sections only; cutting them again could take
    more away, since a choice such as the last paragraph finds another one in what is left.

    Raises:
        ConfigError: some of the files were cut so and others were not.
    """
    built = {_built_with(path) for path in paths}
    if choice == "full" or choice not in built:
        return choice
    if built != {choice}:
        raise ConfigError(
            f"some of the files are already cut to {choice!r} by labelwright build, others not",
            remedy="label them in runs of their own",
        )
    return "full"


def _built_with(path: Path) -> str | None:
    """The sections that a data folder's reports were cut to; ``None`` for any other file."""
    if not path.name.endswith(".reports.jsonl"):
        return None
    manifest = manifest_beside(path)
    known = path.name in (manifest.get("files") or {})
    return str(manifest.get("sections")) if known else None


class SectionCut:
    """Keeps the chosen sections of every report.

    A report without any heading is kept whole, since there is nothing to cut; one that has
    headings, but none of the chosen kind, is rejected.

    Args:
        choice: one of :data:`labelwright.text.sections.SECTION_CHOICES`.

    Raises:
        ConfigError: an unknown choice.
    """

    def __init__(self, choice: str) -> None:
        if choice not in SECTION_CHOICES:
            raise ConfigError(
                f"unknown choice of sections {choice!r}",
                remedy=f"choose one of: {', '.join(SECTION_CHOICES)}",
            )
        self.choice = choice
        self.whole = 0
        """How many reports without headings were kept whole although a section was chosen."""

    def stream(self, items: Iterable[Report | Reject]) -> Iterator[Report | Reject]:
        """Cut a stream of reports; rejects pass."""
        for item in items:
            yield self.cut(item) if isinstance(item, Report) else item

    def cut(self, report: Report) -> Report | Reject:
        """The report with only its chosen text, or a reject if it has none."""
        if self.choice == "full":
            return report
        sections = report.sections or split_sections(report.text)
        text = choose(report.text, sections, self.choice)
        if text.strip():
            return replace(report, text=text, sections=())
        if all(section.name == BODY for section in sections):
            self.whole += 1
            return report
        wanted = "findings or impression" if self.choice == "both" else self.choice
        return Reject(report.id, report.source, report.row, f"the report has no {wanted} section")
