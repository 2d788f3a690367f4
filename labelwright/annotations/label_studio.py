"""Writes tasks with annotations for Label Studio's import: one JSON array.

Regions are ``labels`` named ``label`` on the text named ``text``; a certainty is a choice for
its region, named ``certainty``. :func:`labeling_interface` gives the interface that shows both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import IO, Any

from labelwright.annotations.writing import Written, count, count_plain, in_one_piece, placed
from labelwright.io.jsonl import atomic_write, dumps
from labelwright.records import Certainty, Entity, Report, in_order

NAME = "reports.json"


class LabelStudioWriter:
    """Writes into an open file; see :func:`open_file`."""

    def __init__(self, handle: IO[Any]) -> None:
        self._handle = handle
        self.written = Written()

    def write(self, report: Report, entities: Sequence[Entity] | None) -> Counter[str]:
        """Write one task, without an annotation if nothing is known of entities."""
        kept, left = placed(report.text, entities or ())
        kept = in_order(in_one_piece(kept, left))
        data = {"id": report.id, "text": report.text}
        if report.patient is not None:
            data["patient"] = report.patient
        results = [r for number, e in enumerate(kept, 1) for r in _results(f"e{number}", e)]
        task = {
            "id": self.written.reports + 1,
            "data": data,
            "annotations": [] if entities is None else [{"result": results}],
        }
        self._handle.write(("[\n" if not self.written.reports else ",\n") + dumps(task))
        count(self.written, report, len(kept), left)
        count_plain(self.written, kept, certainty=False)
        self.written.types.update((e.type, e.type) for e in kept)
        return left

    def finish(self) -> None:
        """Close the array."""
        self._handle.write("\n]\n" if self.written.reports else "[]\n")


@contextmanager
def open_file(path: Path, *, scheme: str | None = None) -> Iterator[LabelStudioWriter]:  # noqa: ARG001
    """A writer to a file, which is there, whole, when the context ends without an error.

    The labeling interface is written beside it.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_write(path) as handle:
        writer = LabelStudioWriter(handle)
        yield writer
        writer.finish()
    with atomic_write(path.with_name(f"{path.stem}.interface.xml"), mode=0o644) as handle:
        handle.write(labeling_interface(writer.written.types))


def labeling_interface(types: Iterable[str]) -> str:
    """The labeling interface (XML) for these types and the certainties of mentions."""
    labels = "".join(f'    <Label value="{escape(name)}"/>\n' for name in sorted(types))
    choices = "".join(f'    <Choice value="{c.value}"/>\n' for c in Certainty)
    return (
        f'<View>\n  <Labels name="label" toName="text">\n{labels}  </Labels>\n'
        '  <Text name="text" value="$text"/>\n'
        f'  <Choices name="certainty" toName="text" perRegion="true">\n{choices}  </Choices>\n'
        "</View>\n"
    )


def _results(name: str, entity: Entity) -> Iterator[dict[str, Any]]:
    place = {"start": entity.start, "end": entity.end, "text": entity.text}
    common = {"id": name, "to_name": "text"}
    value: dict[str, Any] = {**place, "labels": [entity.type]}
    yield {**common, "from_name": "label", "type": "labels", "value": value}
    if entity.certainty is not None:
        value = {**place, "labels": [entity.type], "choices": [entity.certainty.value]}
        yield {**common, "from_name": "certainty", "type": "choices", "value": value}
