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
        bad_annotations: ``reject`` a report with annotations that cannot be used, ``drop`` them, or
            ``repair`` those that can be and drop the others.
        tag_scheme: of CoNLL files, such as ``bio``; ``None`` finds the one that fits all tags.
        tag_column: of CoNLL files, counted from 1; ``None`` is the last.
        documents: where a report of a CoNLL file ends: ``auto``, ``file`` or ``sentence``.
        mention_edges: ``trim`` white space at the edges of mentions, or ``keep`` it.
        offset_unit: what offsets count, one of :data:`labelwright.annotations.offsets.UNITS`;
            ``None`` takes what the format's own tools count, or what fits.
        keep_layout: whether ``Report.meta`` keeps what a file says beside its entities, so that it
            can be written again as it was.
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

    def annotations(self) -> dict[str, str | int]:
        """What was said about annotations beyond the defaults, for a manifest."""
        usual = ReadOptions()
        names = ("bad_annotations", "tag_scheme", "tag_column", "documents", "offset_unit")
        every = (*names, "mention_edges")
        return {k: getattr(self, k) for k in every if getattr(self, k) != getattr(usual, k)}
