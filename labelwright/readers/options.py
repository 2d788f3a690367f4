"""What a user may say about the files to be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labelwright.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How reports are found in the input files.

    Attributes:
        id_column: column of the report's id; ``None`` finds it by its usual names, ``#`` numbers
            the rows.
        text_columns: columns that make the text, joined in this order; empty finds them.
        patient_column: column of the patient; ``None`` finds it, or goes without.
        meta_columns: columns kept in ``Report.meta``.
        encoding: of text files; ``None`` reads UTF-8, or what a byte order mark says.
        format: one of :data:`labelwright.readers.FORMATS`; ``None`` decides by suffix or folder.
        bad_annotations: ``reject`` a report with annotations that cannot be used, ``drop`` them, or
            ``repair`` those that can be and drop the others.
        tag_scheme: of CoNLL files, such as ``bio``; ``None`` finds the one that fits all tags.
        tag_column: of CoNLL files, counted from 1; ``None`` is the last.
        documents: where a report of a CoNLL file ends: ``auto``, ``file`` or ``sentence``.
        mention_edges: ``trim`` white space at the edges of mentions, or ``keep`` it.
        offset_unit: what offsets count, one of :data:`labelwright.annotations.offsets.UNITS`;
            ``None`` takes what the format's own tools count, or what fits.
        keep_layout: whether ``Report.meta`` keeps what a file says beside its entities, so that it
            can be written again as it was; of documents, the places of their words.
        ocr_language: tesseract's codes for the language of scans (``ita``, ``deu+eng``); ``None``
            rejects scans.
        ocr_command: an external program that reads scans, with ``{file}`` and ``{out}`` in it.
        most_pages: pages of a document; longer ones are rejected. ``None`` is 200.
        split_at: pattern of a letter's first page, where a file holds several letters.
        delimiter: of delimited tables; ``None`` finds it.
        table, query: of a database, one of both.
        sheets: of workbooks, by name; empty takes the only one that holds something.
    """

    id_column: str | None = None
    text_columns: tuple[str, ...] = ()
    patient_column: str | None = None
    meta_columns: tuple[str, ...] = ()
    encoding: str | None = None
    format: str | None = None
    bad_annotations: str = "reject"
    tag_scheme: str | None = None
    tag_column: int | None = None
    documents: str = "auto"
    offset_unit: str | None = None
    mention_edges: str = "trim"
    keep_layout: bool = False
    ocr_language: str | None = None
    ocr_command: str | None = None
    most_pages: int | None = None
    split_at: str | None = None
    delimiter: str | None = None
    sheets: tuple[str, ...] = ()
    table: str | None = None
    query: str | None = None

    def refuse_columns(self, what: str) -> None:
        """Refuse names of columns for a format that has none, as ``what`` says.

        Raises:
            ConfigError: there is one.
        """
        if any((self.id_column, self.patient_column, *self.text_columns, *self.meta_columns)):
            raise ConfigError(
                what,
                remedy="remove --id-column, --text-columns, --patient-column and --meta-columns",
            )

    def annotations(self) -> dict[str, Any]:
        """What was said about annotations and documents beyond the defaults, for a manifest."""
        usual = ReadOptions()
        given = {k: getattr(self, k) for k in _TOLD if getattr(self, k) != getattr(usual, k)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}


_TOLD = (
    *("bad_annotations", "tag_scheme", "tag_column", "documents", "offset_unit", "mention_edges"),
    *(
        "ocr_language",
        "ocr_command",
        "most_pages",
        "split_at",
        "delimiter",
        "sheets",
        "table",
        "query",
    ),
)
