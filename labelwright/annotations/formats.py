"""The formats in which annotated reports are written, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from labelwright.annotations import brat, conll, doccano, entities_jsonl, label_studio
from labelwright.annotations.writing import Writer, Written
from labelwright.records import Entity, Report


@dataclass(frozen=True, slots=True)
class Format:
    """One output format.

    Attributes:
        name: of its file, or of its folder.
        open: a writer to a path, which is there, whole, when the context ends without an error;
            ``scheme`` is that of tags, for CoNLL.
    """

    name: str
    open: Callable[..., AbstractContextManager[Writer]]


WRITERS = {
    "brat": Format(brat.NAME, brat.open_folder),
    "conll": Format(conll.NAME, conll.open_file),
    "doccano": Format(doccano.NAME, doccano.DoccanoWriter.open),
    "label-studio": Format(label_studio.NAME, label_studio.open_file),
    "entities": Format(entities_jsonl.NAME, entities_jsonl.EntitiesWriter.open),
}


def write(
    path: Path,
    name: str,
    reports: Iterable[tuple[Report, Sequence[Entity] | None]],
    *,
    scheme: str | None = None,
) -> Written:
    """Write all reports with their mentions to a file or folder, whole or not at all.

    Args:
        name: one of :data:`WRITERS`.
        scheme: of tags, for CoNLL; one of :data:`labelwright.annotations.tags.SCHEMES`.

    Raises:
        OutputError: it cannot be written.
    """
    with WRITERS[name].open(path, scheme=scheme) as writer:
        for report, entities in reports:
            writer.write(report, entities)
    return writer.written
