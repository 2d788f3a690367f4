"""DOCX: all text that a reader of the printed letter sees, in order; tables as Markdown.

Read from the XML itself, through defusedxml: packages that hand out paragraphs and tables pass over
text boxes, content controls, inserted passages, footnotes, headers and footers. Deleted passages,
field codes and hidden text are left out. Nothing is run: files with macros are refused.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.readers.documents.faults import UnreadableError, zipped
from labelwright.readers.documents.pages import Line, Page, Word, lines_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"
_TEXT = {"t": "", "tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_LEFT_OUT = frozenset({"del", "moveFrom", "instrText", "delText", "Fallback", "rPr", "pPr"})
_DEEPEST = 200


def pages_of(path: Path) -> Iterator[Page]:
    """The text as one page: headers, body, notes, footers. DOCX does not say where pages end.

    Raises:
        UnreadableError: damaged, locked, with macros, too large, or no DOCX.
    """
    with zipped(path) as archive:
        names = archive.namelist()
        if any(name.lower().endswith("vbaproject.bin") for name in names):
            raise UnreadableError("the document holds macros; save it as .docx without them")
        if "word/document.xml" not in names:
            raise UnreadableError("no DOCX: it holds no word/document.xml")
        lines: list[Line] = []
        for name in _in_order(names):
            part = list(_blocks(_parsed(archive, name), 0))
            if part and lines:
                lines.append(())
            lines += part
    yield Page(1, tuple(lines))


def _in_order(names: list[str]) -> Iterator[str]:
    """The parts with text, as one reads them; each header once."""
    for kind in ("header", "document", "footnotes", "endnotes", "footer"):
        for name in sorted(names):
            if name.startswith(f"word/{kind}") and name.endswith(".xml"):
                yield name


def _parsed(archive: zipfile.ZipFile, name: str) -> Element:
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(archive.read(name), forbid_dtd=True)
    except DefusedXmlException:
        raise UnreadableError("refused: the XML declares entities or a document type") from None
    except (ParseError, ValueError, LookupError):
        raise UnreadableError("the document's XML is damaged") from None
    return root


def _name(element: Element) -> str:
    return element.tag.removeprefix(_W).removeprefix(_STRICT).rpartition("}")[2]


def _blocks(element: Element, depth: int) -> Iterator[Line]:
    """The lines of paragraphs and tables below an element."""
    if depth > _DEEPEST:
        raise UnreadableError("the document is nested too deeply")
    name = _name(element)
    if name == "p":
        yield from _paragraph(element, depth)
    elif name == "tbl":
        yield ()
        yield from _table(element, depth)
        yield ()
    elif name not in _LEFT_OUT:
        for child in element:
            yield from _blocks(child, depth + 1)


def _paragraph(element: Element, depth: int) -> Iterator[Line]:
    boxes: list[Element] = []
    text = "".join(_runs(element, boxes, depth))
    found = [line for line in lines_of(text.replace("\t", " ")) if line]
    yield from found or [()]
    for box in boxes:
        yield from _blocks(box, depth + 1)


def _runs(element: Element, boxes: list[Element], depth: int) -> Iterator[str]:
    """The text of a paragraph; text boxes that hang on it are put into ``boxes``."""
    if depth > _DEEPEST:
        raise UnreadableError("the document is nested too deeply")
    for child in element:
        name = _name(child)
        if name in _LEFT_OUT or _hidden(child):
            continue
        if name == "txbxContent":
            boxes.append(child)
        elif name == "t":
            yield child.text or ""
        elif name == "sym":
            yield _symbol(child)
        elif name in _TEXT:
            yield _TEXT[name]
        else:
            yield from _runs(child, boxes, depth + 1)


def _hidden(run: Element) -> bool:
    for child in run:
        if _name(child) == "rPr":
            for setting in child:
                if _name(setting) == "vanish":
                    values = [v for k, v in setting.attrib.items() if k.endswith("val")]
                    return values not in (["0"], ["false"])
    return False


def _symbol(element: Element) -> str:
    """A character of a symbol font; those of Wingdings that forms tick are boxes."""
    code = next((v for k, v in element.attrib.items() if k.endswith("char")), "").upper()
    return {"F0FE": "☒", "F0FD": "☒", "F0A8": "☐", "F06F": "☐", "F0FC": "✓"}.get(code, "\ufffd")


def _table(element: Element, depth: int) -> Iterator[Line]:
    for number, row in enumerate(_below(element, "tr")):
        cells = [list(_cell(cell, depth)) for cell in _below(row, "tc")]
        line = [Word("|")]
        for words in cells:
            line += [Word(word.text.replace("|", "\\|")) for word in words]
            line.append(Word("|"))
        yield tuple(line)
        if number == 0:
            yield (Word("|" + "---|" * len(cells)),)


def _below(element: Element, name: str) -> Iterator[Element]:
    """The nearest elements of a name, through content controls, not through inner tables."""
    for child in element:
        if _name(child) == name:
            yield child
        elif _name(child) in {"sdt", "sdtContent", "ins", "customXml"}:
            yield from _below(child, name)


def _cell(cell: Element, depth: int) -> Iterator[Word]:
    """The words of a cell on one line; those of a table in it follow each other."""
    if depth > _DEEPEST:
        raise UnreadableError("the document is nested too deeply")
    for child in cell:
        if _name(child) == "tbl":
            for row in _below(child, "tr"):
                for inner in _below(row, "tc"):
                    yield from _cell(inner, depth + 1)
        else:
            yield from (word for line in _blocks(child, depth + 1) for word in line)
