"""What a user may say about the files to be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How reports are found in the input files.

    Attributes:
        id_column: column of the report's id; ``None`` finds it by its usual names.
        text_columns: columns that make the text, joined in this order; empty finds them.
        patient_column: column of the patient; ``None`` finds it, or goes without.
        meta_columns: columns kept in ``Report.meta``.
        encoding: of text files; ``None`` reads UTF-8, or what a byte order mark says.
        format: one of :data:`labelwright.readers.FORMATS`; ``None`` decides by suffix or folder.
    """

    id_column: str | None = None
    text_columns: tuple[str, ...] = ()
    patient_column: str | None = None
    meta_columns: tuple[str, ...] = ()
    encoding: str | None = None
    format: str | None = None
