"""One HL7 version 2 message: its delimiters, character set, fields and escape sequences."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CHARACTER_SETS = {
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    **{"": "utf-8-sig", "ASCII": "utf-8-sig", "UNICODE UTF-8": "utf-8-sig", "UTF-8": "utf-8-sig"},
    **{"ISO IR6": "ascii", "ISO IR14": "iso2022_jp", "ISO IR87": "iso2022_jp"},
    **{"GB 18030-2000": "gb18030", "KS X 1001": "euc_kr", "BIG-5": "big5"},
}
"""HL7 table 0211 -> Python's codecs. UTF-8 is read as ASCII, too, which it contains."""

_MOST_FEED = 20
_KIND = re.compile(r"[A-Z][A-Z0-9]{2}(\^[A-Z][A-Z0-9]{2})?")


def _characters(data: bytes, codec: str) -> str:
    """Hexadecimal data as text; ``000D`` is a line end in two bytes, and NUL itself no character.

    Raises:
        UnicodeError: bytes that the codec lacks.
    """
    if data and not any(data[::2]) and len(data) % 2 == 0:
        data = data[1::2]
        return data.decode("latin-1").replace("\0", "")
    return data.replace(b"\0", b"").decode(codec)


class MessageError(ValueError):
    """A message or text that cannot be used; says why and never quotes."""


class Message:
    """The fields of one message.

    Args:
        segments: as bytes, the first of them MSH.
        encoding: the codec that the user named, which counts more than MSH-18, or ``None``.

    Attributes:
        segments: the fields of each segment, so that ``[3]`` is field 3 (MSH too), ``[0]`` the
            segment's name.

    Raises:
        MessageError: the delimiters or the character set are wrong.
    """

    def __init__(self, segments: Sequence[bytes], encoding: str | None) -> None:
        header = segments[0]
        separator = header[3:4].decode("latin-1")
        marks = header.decode("latin-1")[4:].partition(separator or "|")[0]
        odd = separator + marks
        if not 2 <= len(marks) <= 5 or len(set(odd)) < len(odd) or re.search(r"[\w\s]", odd):
            raise MessageError("the MSH segment does not name its delimiters")
        self._component, self._repetition = marks[0], marks[1]
        self._escape, self._part = marks[2:3], marks[3:4]
        self._signs = {"F": separator, "S": marks[0], "R": marks[1], "T": self._part or "&"}
        self._signs |= {"E": self._escape, "P": marks[4:5] or "#", "H": "", "N": ""}
        self._codec = self._codec_of(header.split(header[3:4]), encoding)
        try:
            text = b"\r".join(segments).decode(self._codec)
        except UnicodeError:
            shown = self._codec.removesuffix("-sig").upper()
            raise MessageError(f"the message is not {shown}; --encoding names another") from None
        self.segments = [line.split(separator) for line in text.split("\r")]
        self.segments[0].insert(1, separator)
        self._sequence = self._pattern()

    @property
    def kind(self) -> tuple[str, str]:
        """Type and event of MSH-9, such as ``("ORU", "R01")``."""
        parts = [*self.field(self.segments[0], 9).split(self._component), ""]
        return parts[0].strip(), parts[1].strip()

    @property
    def shown_kind(self) -> str:
        """Type and event for a message to the user."""
        kind = "^".join(self.kind).rstrip("^")
        return kind if _KIND.fullmatch(kind) else "of unknown type"

    @staticmethod
    def field(segment: Sequence[str], number: int) -> str:
        """A field as it stands, ``""`` if the segment ends before it; ``\"\"`` means deleted."""
        value = segment[number] if number < len(segment) else ""
        return "" if value == '""' else value

    def component(self, segment: Sequence[str], number: int, place: int = 1) -> str:
        """A component of a field's first repetition, unescaped."""
        first = self.field(segment, number).split(self._repetition)[0]
        parts = first.split(self._component)
        value = parts[place - 1] if place <= len(parts) else ""
        return self.unescaped("" if value == '""' else value).strip()

    def suffix(self, segment: Sequence[str], number: int) -> str:
        """What stands behind the subcomponent sign in the first component of a field."""
        first = self.field(segment, number).split(self._component)[0]
        return first.partition(self._part)[2].strip() if self._part else ""

    def text(self, segment: Sequence[str], number: int) -> str:
        """A field of text: repetitions on lines of their own, unescaped.

        Raises:
            MessageError: an escape sequence holds bytes that the character set lacks.
        """
        lines = self.field(segment, number).split(self._repetition)
        joined = "\n".join(self.unescaped(line) for line in lines)
        return joined.replace("\r\n", "\n").replace("\r", "\n")

    def unescaped(self, text: str) -> str:
        """The text with its escape sequences replaced; unknown ones stay as they are.

        Raises:
            MessageError: as :meth:`text`.
        """
        if not self._escape or self._escape not in text:
            return text
        return self._sequence.sub(self._replaced, text)

    def _replaced(self, match: re.Match[str]) -> str:
        sequence = match.group(1)
        if sequence in self._signs:
            return self._signs[sequence]
        if sequence.startswith("X"):
            try:
                return _characters(bytes.fromhex(sequence[1:]), self._codec)
            except (ValueError, UnicodeError):
                raise MessageError("an escape sequence holds bytes that are no text") from None
        command, number = sequence[1:3], re.search(r"\d+", sequence)
        count = min(int(number.group()) if number else 1, _MOST_FEED)
        return {"br": "\n", "sp": "\n" * count, "ce": "\n", "sk": " " * count}.get(command, "")

    def _pattern(self) -> re.Pattern[str]:
        mark = re.escape(self._escape or "\\")
        inner = r"[FSRTEPHN]|X[0-9A-Fa-f]+|\.(?:br|sp|in|ti|fi|nf|ce|sk) ?[+-]?\d{0,4}"
        return re.compile(f"{mark}({inner}){mark}")

    @staticmethod
    def _codec_of(header: list[bytes], encoding: str | None) -> str:
        if encoding is not None:
            return encoding
        name = header[17].decode("latin-1").strip().upper() if len(header) > 17 else ""
        names = [part for part in re.split(r"[~\\]", name) if part] or [""]
        codec = _CHARACTER_SETS.get(names[-1]) if len(names) <= 2 else None
        if codec is None:
            raise MessageError("MSH-18 names a character set that is not known here")
        return codec
