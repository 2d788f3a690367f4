"""The text of RTF (Microsoft's Rich Text Format 1.9.1): what a reader would see, one pass.

Pictures, fonts, styles, headers, footers and other destinations are left out, as are deleted
and hidden passages.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from labelwright.readers.one_text import NoTextError

_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})?[ ]?|\\'(?P<byte>[0-9a-fA-F]{2})"
    r"|\\(?P<sign>[\s\S])|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)|[\r\n]+|(?P<stray>\\)"
)
_SKIPPED = frozenset(
    {
        *("colortbl", "stylesheet", "info", "header", "headerf", "headerl", "headerr", "footer"),
        *("footerf", "footerl", "footerr", "pict", "fldinst", "filetbl", "revtbl", "rsidtbl"),
        *("listtable", "listoverridetable", "generator", "objdata", "xe", "rxe", "tc", "txe"),
    }
)
_WORDS = {
    **dict.fromkeys(("par", "line", "sect", "page", "row", "nestrow"), "\n"),
    **dict.fromkeys(("tab", "cell", "nestcell"), "\t"),
    "emdash": "—",
    "endash": "–",
    "emspace": "\u2003",
    "enspace": "\u2002",
    "bullet": "•",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
}
_SIGNS = {"~": "\xa0", "_": "\u2011", "-": "", "\n": "\n", "\r": "\n"}
_PAGES = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850", "ansi": "cp1252"}
_CHARSETS = {
    **{77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "big5"},
    **{161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256"},
    **{186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437"},
}
_DEEPEST = 1000


@dataclass(slots=True)
class _State:
    """What a group inherits: whether it is seen, its font, the stand-ins after a character."""

    skipped: bool = False
    stand_ins: int = 1
    starred: bool = False
    font: int | None = None
    in_font_table: bool = False


def rtf_to_text(data: bytes) -> str:
    """The text of an RTF document.

    Raises:
        NoTextError: it is no RTF, breaks off, or uses an unknown code page.
    """
    if not data.lstrip().startswith(b"{\\rtf"):
        raise NoTextError("no RTF")
    return _Reader().read(data.decode("latin-1"))


class _Reader:
    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._bytes = bytearray()
        self._page = "cp1252"
        self._state = _State()
        self._outer: list[_State] = []
        self._left_out = 0
        self._font_pages: dict[int, str] = {}

    def read(self, rtf: str) -> str:
        at = rtf.index("{")
        while found := _TOKEN.match(rtf, at):
            at = found.end()
            if found["brace"]:
                self._flush()
                if self._group(found["brace"]):
                    return self._text()
            elif found["word"]:
                at += self._word(found["word"], found["number"])
            elif found["byte"] and not self._counts_as_stand_in():
                self._raw(bytes.fromhex(found["byte"]))
            elif found["sign"]:
                self._sign(found["sign"])
            elif found["text"]:
                text = found["text"]
                skipped = min(self._left_out, len(text))
                self._left_out -= skipped
                self._raw(text[skipped:].encode("latin-1"))
        raise NoTextError("the RTF is cut short")

    def _group(self, brace: str) -> bool:
        """Enter or leave a group; whether it was the document itself that ended."""
        self._left_out = 0
        if brace == "{":
            if len(self._outer) >= _DEEPEST:
                raise NoTextError("the RTF is nested too deeply")
            self._outer.append(self._state)
            self._state = replace(self._state, starred=False)
            return False
        self._state = self._outer.pop()
        return not self._outer

    def _word(self, word: str, number: str | None) -> int:
        """Do what a control word says; how many characters of binary data follow it."""
        value = None if number is None else int(number)
        if word == "bin":
            return max(0, value or 0)
        if word == "u" and value is not None:
            self._unicode(value)
        elif word == "uc":
            self._state.stand_ins = min(max(0, 1 if value is None else value), 100)
        elif word == "ansicpg" or word in _PAGES:
            self._code_page(f"cp{value}" if word == "ansicpg" else _PAGES[word])
        elif word in ("v", "deleted"):
            self._flush()
            self._state.skipped = value != 0
        elif word == "f" and value is not None:
            self._flush()
            self._state.font = value
        elif word == "fcharset" and self._state.in_font_table:
            self._font_charset(value)
        elif word == "fonttbl":
            self._state.in_font_table = self._state.skipped = True
        elif word in _SKIPPED or self._state.starred:
            self._flush()
            self._state.skipped = True
        elif word in _WORDS:
            self._write(_WORDS[word])
        self._state.starred = False
        return 0

    def _sign(self, sign: str) -> None:
        if sign == "*":
            self._state.starred = True
        elif sign in "\\{}":
            if not self._counts_as_stand_in():
                self._raw(sign.encode("latin-1"))
        else:
            self._write(_SIGNS.get(sign, ""))

    def _unicode(self, value: int) -> None:
        if not -0x8000 <= value <= 0x10FFFF:
            raise NoTextError("the RTF holds a character number that is none")
        self._write(chr(value + 0x10000 if value < 0 else value))
        self._left_out = self._state.stand_ins

    def _code_page(self, name: str) -> None:
        self._flush()
        try:
            self._page = codecs.lookup({"cp65001": "utf-8", "cp0": "cp1252"}.get(name, name)).name
        except LookupError:
            raise NoTextError("the RTF names an unknown code page") from None

    def _font_charset(self, value: int | None) -> None:
        font = self._state.font
        if font is not None and value in _CHARSETS:
            self._font_pages[font] = _CHARSETS[value]

    def _counts_as_stand_in(self) -> bool:
        if not self._left_out:
            return False
        self._left_out -= 1
        return True

    def _raw(self, data: bytes) -> None:
        if not self._state.skipped:
            self._bytes += data

    def _write(self, text: str) -> None:
        self._flush()
        if not self._state.skipped:
            self._pieces.append(text)

    def _flush(self) -> None:
        """Decode what was collected; characters of two bytes may come as two ``\\'xx``."""
        if self._bytes:
            font = self._state.font
            page = self._page if font is None else self._font_pages.get(font, self._page)
            try:
                self._pieces.append(self._bytes.decode(page))
            except UnicodeError:
                raise NoTextError("the RTF holds bytes that its code page lacks") from None
            self._bytes.clear()

    def _text(self) -> str:
        joined = "".join(self._pieces)
        try:  # pairs of surrogates, written as two \u
            return joined.encode("utf-16", "surrogatepass").decode("utf-16").strip()
        except UnicodeError:
            raise NoTextError("the RTF holds half a surrogate pair") from None
