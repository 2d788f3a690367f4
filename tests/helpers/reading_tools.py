"""What the tests of readers share: read and scan a file, expect a failure, write a file."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from labelwright.errors import InputError
from labelwright.readers import ReadOptions, read_reports, scan
from labelwright.records import Reject, Report

PLAIN = ReadOptions()

STATUS = Path("/proc/self/status")
PEAK = f"""
def peak():
    lines = open({str(STATUS)!r}).read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
"""
"""Source of a function that tells a process's largest memory so far, in KiB.

``ru_maxrss`` begins with what the process that started it had, which may be the whole of torch.
"""


def read(path: Path, options: ReadOptions = PLAIN) -> list[Report | Reject]:
    items = list(read_reports([path], options))
    assert scan([path], options).rows == len(items)  # holds for every readable file
    return items


def texts(items: Sequence[Report | Reject]) -> list[str]:
    return [item.text if isinstance(item, Report) else item.reason for item in items]


def failure(path: Path, options: ReadOptions = PLAIN) -> InputError:
    """The error of a file, the same from both passes."""
    with pytest.raises(InputError) as reading:
        list(read_reports([path], options))
    with pytest.raises(InputError) as scanning:
        scan([path], options)
    assert reading.value.line() == scanning.value.line()
    assert reading.value.remedy
    return reading.value


def saved(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(folder: Path, name: str, columns: dict[str, Any]) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = folder / name
    pq.write_table(pa.table(columns), path)
    return path


# --- PDF written by hand: text at places, lines, and pictures of such pages -----------------

A4 = (595, 842)


def text(x: float, top: float, words: str, size: float = 11) -> str:
    """A line of Helvetica whose letters stand ``top`` points below the upper edge."""
    safe = words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /F1 {size} Tf {x} {A4[1] - top} Td ({safe}) Tj ET"


def ruled_table(
    x: float, top: float, rows: Sequence[Sequence[str]], width: float = 150
) -> list[str]:
    """A ruled table; every row is 20 points high."""
    height, wide = 20 * len(rows), width * len(rows[0])
    ruled = [(x, top + 20 * n, x + wide, top + 20 * n) for n in range(len(rows) + 1)]
    ruled += [(x + width * n, top, x + width * n, top + height) for n in range(len(rows[0]) + 1)]
    drawn = [f"{a} {A4[1] - b} m {c} {A4[1] - d} l S" for a, b, c, d in ruled]
    for r, row in enumerate(rows):
        drawn += [text(x + 4 + width * c, top + 14 + 20 * r, cell) for c, cell in enumerate(row)]
    return drawn


def pdf(path: Path, pages: Sequence[Sequence[str]], *, trailer: str = "", more: str = "") -> Path:
    """A PDF of pages of drawing commands; ``more`` goes into its catalog."""
    objects = ["", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding "]
    objects[2] += "/WinAnsiEncoding >>"
    kids = []
    for page in pages:
        stream = "\n".join(page)
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {A4[0]} {A4[1]}] /Contents "
            f"{len(objects) + 2} 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
        )
        size = len(stream.encode("cp1252"))
        objects.append(f"<< /Length {size} >>\nstream\n{stream}\nendstream")
    objects[0] = f"<< /Type /Catalog /Pages 2 0 R {more} >>"
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    written = b"%PDF-1.7\n"
    places = []
    for number, value in enumerate(objects, 1):
        places.append(len(written))
        written += f"{number} 0 obj\n{value}\nendobj\n".encode("cp1252")
    xref = len(written)
    written += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    written += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    written += f"trailer << /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\n".encode()
    path.write_bytes(written + f"startxref\n{xref}\n%%EOF\n".encode())
    return path


def scanned(
    path: Path, source: Path, *, dpi: int = 200, noise: float = 0.0, turn: float = 0
) -> Path:
    """The pages of a PDF as pictures in another: what a copier makes of a letter."""
    import numpy as np
    import pypdfium2
    from PIL import Image

    chance = np.random.default_rng(7)
    pictures = []
    document = pypdfium2.PdfDocument(source)
    for page in document:
        picture = page.render(scale=dpi / 72).to_pil().convert("L")
        picture = picture.rotate(turn * random.Random(len(pictures)).uniform(-1, 1), fillcolor=255)
        if noise:
            grey = np.asarray(picture, dtype=float) + chance.normal(0, noise, picture.size[::-1])
            picture = Image.fromarray(grey.clip(0, 255).astype("uint8"))
        pictures.append(picture)
    document.close()
    pictures[0].save(
        path, "PDF", save_all=True, append_images=pictures[1:], resolution=dpi, quality=70
    )
    return path


_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def cell(at: str, words: str) -> str:
    return f'<c r="{at}" t="inlineStr"><is><t>{words}</t></is></c>'


def xlsx(path: Path, sheets: Mapping[str, str], after: str = "") -> Path:
    names = list(enumerate(sheets, 1))
    listed = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in names)
    links = "".join(
        f'<Relationship Id="r{i}" Type="{_OFFICE}/worksheet" Target="worksheets/s{i}.xml"/>'
        for i, _ in names
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_TYPES}"><Default Extension="xml" ContentType='
        f'"application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="r1" Type='
        f'"{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">{links}<Relationship '
        f'Id="r99" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/>'
        '<xf numFmtId="14"/></cellXfs></styleSheet>',
    }
    for (i, _), rows in zip(names, sheets.values(), strict=True):
        parts[f"xl/worksheets/s{i}.xml"] = (
            f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData>{after}</worksheet>'
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, f'<?xml version="1.0"?>{part}')
    return path


def ods(path: Path, rows: Sequence[str]) -> Path:
    """Write an OpenDocument spreadsheet of one sheet, S; each row as its XML."""
    named = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{n}="{named}:{n}:1.0"' for n in ("office", "table", "text"))
    own = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<x/>")
        archive.writestr(
            "content.xml",
            f'<office:document-content {spaces} xmlns:calcext="{own}"><office:body>'
            f'<office:spreadsheet><table:table table:name="S">{"".join(rows)}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return path


def workbook(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """One sheet of texts; an empty text is an empty cell."""
    lines = [
        f'<row r="{y}">'
        + "".join(cell(f"{chr(65 + x)}{y}", words) for x, words in enumerate(row) if words)
        + "</row>"
        for y, row in enumerate(rows, 1)
    ]
    return xlsx(path, {"Sheet": "".join(lines)})
