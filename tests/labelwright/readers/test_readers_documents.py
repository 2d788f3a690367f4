"""Documents: PDF, DOCX, Markdown and scans become reports with pages and places, or rejects."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from reading_tools import failure, pdf, read, ruled_table, saved, scanned, text, texts

from labelwright.cli import main
from labelwright.errors import ConfigError
from labelwright.readers import ReadOptions, read_reports
from labelwright.readers.documents import ocr, reader
from labelwright.readers.documents.ocr import Found, together, with_roman_figures
from labelwright.readers.documents.pages import Page, Placed, Word, boxes_at, text_of_pages
from labelwright.records import Reject, Report

HEAD = "Ospedale Esempio - pagina {} di 2"
LETTER = [
    [
        text(50, 40, HEAD.format(1)),
        text(50, 80, "Il paziente è dimesso il 27/08/2019 dopo il rico-"),
        text(50, 95, "vero per la sostituzione (valvola); decorso post-"),
        text(50, 110, "operatorio regolare come il post-operatorio precedente."),
        *ruled_table(50, 140, [["Farmaco", "Dose"], ["Furosemide", "25 mg"], ["A|B", "1,25 mg"]]),
        text(50, 230, "Dopo la tabella."),
    ],
    [text(50, 40, HEAD.format(2)), text(50, 80, "NYHA III, creatinina 2,64 mg/dl")],
]
LETTER_TEXT = (
    "Ospedale Esempio - pagina 1 di 2\n"
    "Il paziente è dimesso il 27/08/2019 dopo il ricovero per la sostituzione (valvola); decorso "
    "post-operatorio regolare come il post-operatorio precedente.\n\n"
    "| Farmaco | Dose |\n|---|---|\n| Furosemide | 25 mg |\n| A\\|B | 1,25 mg |\n\n"
    "Dopo la tabella.\n\n"
    "Ospedale Esempio - pagina 2 di 2\n"
    "NYHA III, creatinina 2,64 mg/dl"
)
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract is not installed"
)


def one(path: Path, **options: object) -> Report:
    (report,) = read(path, ReadOptions(**options))  # type: ignore[arg-type]
    assert isinstance(report, Report), report.reason
    return report


def test_a_pdf_keeps_order_tables_and_places(tmp_path: Path) -> None:
    report = one(pdf(tmp_path / "a.pdf", LETTER), keep_layout=True)
    assert (report.id, report.text) == ("a.pdf".removesuffix(".pdf"), LETTER_TEXT)
    second = LETTER_TEXT.index("Ospedale Esempio - pagina 2")
    assert json.loads(report.meta["pages"]) == [[1, 0], [2, second]]
    edges = json.loads(report.meta["repeated"])  # marked, and still in the text
    assert [report.text[a:b] for a, b in edges] == [HEAD.format(1), HEAD.format(2)]
    words = [Placed(*row) for row in json.loads(report.meta["words"])]
    at = LETTER_TEXT.index("2,64 mg/dl")
    first, last = boxes_at(words, at, at + len("2,64 mg/dl"))
    assert (first.page, report.text[first.start : last.end]) == (2, "2,64 mg/dl")
    assert first.box is not None
    left, top, right, bottom = first.box
    assert 50 < left < right < 250  # written at x = 50 with its line on y = 80
    assert top < 80 < bottom
    divided = [w for w in words if report.text[w.start : w.end] in ("rico", "vero")]
    assert [report.text[w.start : w.end] for w in divided] == ["rico", "vero"]


def test_every_word_of_a_page_is_in_the_text_once(tmp_path: Path) -> None:
    rows = [[f"cella{r}{c}" for c in range(3)] for r in range(4)]
    page = [text(60, 170, "sulla-riga"), *ruled_table(50, 100, rows, 100), text(400, 120, "a-lato")]
    report = one(pdf(tmp_path / "a.pdf", [page]))
    for word in ("sulla-riga", "a-lato", *(cell for row in rows for cell in row)):
        assert report.text.count(word) == 1


def test_words_whole_again_at_line_ends() -> None:
    lines = ("il pazien-", "te con betabloc-", "CANTE e pre-", "mobile, dose 10-", "20 mg")
    page = Page(1, tuple(tuple(map(Word, line.split())) for line in lines))
    found = text_of_pages([page, Page(2, ((Word("ﬁne"),),))])
    assert found.text == (
        "il paziente con betabloc-\nCANTE e premobile, dose 10-\n20 mg\n\nﬁne"
    )  # capitals and numbers never join
    assert found.hyphens == 2
    assert [found.text[w.start : w.end] for w in found.words][2:4] == ["te", "con"]


def paragraph(words: str) -> str:
    return f'<w:p><w:r><w:t xml:space="preserve">{words}</w:t></w:r></w:p>'


def docx(path: Path, body: str, **parts: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        main_part = f"<w:document {W}><w:body>{body}</w:body></w:document>"
        archive.writestr("word/document.xml", main_part)
        for name, part in parts.items():
            archive.writestr(f"word/{name}", part)
    return path


def test_a_docx_gives_all_that_is_printed(tmp_path: Path) -> None:
    body = (
        paragraph("Diagnosi: stenosi")
        + "<w:p><w:ins><w:r><w:t>inserito</w:t></w:r></w:ins>"
        + "<w:del><w:r><w:delText>tolto</w:delText></w:r></w:del>"
        + "<w:r><w:rPr><w:vanish/></w:rPr><w:t>nascosto</w:t></w:r>"
        + "<w:r><w:tab/><w:t>poi</w:t><w:br/><w:t>a capo</w:t></w:r></w:p>"
        + f"<w:sdt><w:sdtContent>{paragraph('campo')}</w:sdtContent></w:sdt>"
        + f"<w:tbl><w:tr><w:tc>{paragraph('a|b')}{paragraph('c')}</w:tc>"
        + f"<w:tc>{paragraph('2')}</w:tc></w:tr><w:tr><w:tc>{paragraph('x')}</w:tc><w:tc><w:tbl>"
        + f"<w:tr><w:tc>{paragraph('dentro')}</w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl>"
        + f"<w:p><w:r><w:txbxContent>{paragraph('riquadro')}</w:txbxContent></w:r></w:p>"
    )
    path = docx(
        tmp_path / "a.docx",
        body,
        **{
            "header1.xml": f"<w:hdr {W}>{paragraph('Testata')}</w:hdr>",
            "footnotes.xml": f"<w:footnotes {W}><w:footnote>{paragraph('nota')}</w:footnote>"
            "</w:footnotes>",
        },
    )
    assert one(path).text == (
        "Testata\n\nDiagnosi: stenosi\ninserito poi\na capo\ncampo\n\n"
        "| a\\|b c | 2 |\n|---|---|\n| x | dentro |\n\nriquadro\n\nnota"
    )


def test_what_cannot_be_used_is_a_reject_with_its_reason(tmp_path: Path) -> None:
    page = [text(50, 50, "Lettera")]
    locked = f"/Filter /Standard /V 2 /R 3 /P -44 /O <{'41' * 32}> /U <{'42' * 32}>"
    pdf(tmp_path / "lock.pdf", [page], trailer=f"/Encrypt << {locked} >> /ID [<41> <41>]")
    scripts = "/Names << /JavaScript << /Names [(a) << /S /JavaScript /JS (x) >>] >> >>"
    pdf(tmp_path / "script.pdf", [page], more=scripts)
    pdf(tmp_path / "long.pdf", [page] * 500)
    pdf(tmp_path / "blank.pdf", [[]])
    saved(tmp_path, "empty.pdf", b"")
    saved(tmp_path, "broken.pdf", b"%PDF-1.4 nothing")
    saved(tmp_path, "broken.docx", b"PK\x03\x04nothing")
    saved(tmp_path, "picture.png", b"nothing")
    docx(tmp_path / "entity.docx", "").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "entity.docx", "w") as archive:
        archive.writestr("word/document.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    docx(tmp_path / "macro.docx", paragraph("x"), **{"vbaProject.bin": ""})
    with zipfile.ZipFile(tmp_path / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(130 << 20))
    reasons = {item.id: texts([item])[0] for item in read(tmp_path)}
    assert reasons == {
        "blank": "the report has no text",
        "bomb": "unpacks to far more than a document holds",
        "broken": reasons["broken"],
        "empty": "the file is empty",
        "entity": "refused: the XML declares entities or a document type",
        "lock": "locked with a password; save a copy without one",
        "long": "500 pages, more than 200; --most-pages N takes longer documents",
        "macro": "the document holds macros; save it as .docx without them",
        "picture": "a picture; --ocr-language reads it",
        "script": "the PDF holds scripts; print it to a plain PDF",
    }
    rows = [item.row for item in read(tmp_path)]
    assert rows == list(range(1, 12))  # two files are called broken
    assert one(tmp_path / "long.pdf", most_pages=500).text.count("Lettera") == 500


def test_markdown_of_a_converter_stands_for_its_document(tmp_path: Path) -> None:
    pdf(tmp_path / "a.pdf", [[text(50, 50, "Altro")]])
    saved(tmp_path, "a.md", "# Lettera\n\n![](page_1.png)\n\n| a | b |\n")
    saved(tmp_path, "page_1.png", b"a picture that the Markdown shows")
    (report,) = read(tmp_path)
    assert isinstance(report, Report)
    assert report.text.startswith("# Lettera")
    assert report.notes == ("document read from the Markdown beside it: a.pdf",)


def test_one_scanned_folder_is_cut_into_letters(tmp_path: Path) -> None:
    path = pdf(
        tmp_path / "cartella.pdf",
        [
            [text(50, 50, "Copertina")],
            [text(50, 50, "LETTERA DI DIMISSIONE n. 17"), text(50, 70, "primo")],
            [text(50, 50, "LETTERA DI DIMISSIONE n. 17"), text(50, 70, "segue")],
            [text(50, 50, "senza titolo")],
            [text(50, 50, "LETTERA DI DIMISSIONE n. 18")],
        ],
    )
    items = read(path, ReadOptions(split_at=r"LETTERA DI DIMISSIONE n\. (?P<id>\d+)"))
    assert [item.id for item in items] == ["cartella#page-1", "cartella#17", "cartella#18"]
    assert isinstance(items[0], Reject)
    assert items[0].reason == "page 1 stands before any page that --split-at matches"
    assert isinstance(items[1], Report)
    assert "segue\n\nsenza titolo" in items[1].text
    assert json.loads(items[1].meta["pages"])[0] == [2, 0]
    plain = read(path, ReadOptions(split_at="LETTERA"))
    assert [item.id for item in plain][1:] == [f"cartella#page-{n}" for n in (2, 3, 5)]
    with pytest.raises(ConfigError, match="matches an empty page"):
        read(path, ReadOptions(split_at=".*"))


def test_an_external_program_reads_scans(tmp_path: Path) -> None:
    source = pdf(tmp_path / "a.pdf", [[text(50, 50, "Lettera")]])
    scan = scanned(tmp_path / "scan.pdf", source, dpi=72)
    program = saved(
        tmp_path,
        "p.py",
        "import pathlib, sys\npathlib.Path(sys.argv[2], 'x.md').write_text('Dal programma')\n"
        "sys.exit(int(sys.argv[3]))",
    )
    command = f"{sys.executable} {program} {{file}} {{out}} "
    report = one(scan, ocr_command=command + "0")
    assert report.text == "Dal programma"
    assert one(source, ocr_command=command + "0").text == "Lettera"  # has text of its own
    assert texts(read(scan, ReadOptions(ocr_command=command + "3"))) == [
        "--ocr-command failed with code 3"
    ]
    with pytest.raises(ConfigError, match="where the document's path goes"):
        read(scan, ReadOptions(ocr_command="marker"))


def test_what_only_the_sparse_reading_found_stays() -> None:
    def found(words: str, left: int, top: int, line: int, sure: float = 0.9) -> Found:
        return Found(words, (left, top, left + 50, top + 10), sure, (1, 1, line))

    ordered = [found("Farmaco", 0, 0, 1), found("2,54", 0, 40, 2), found("10", 60, 40, 2, 0.4)]
    sparse = [
        *(found("2,64", 0, 40, 9), found("Furosemide", 0, 20, 9), found("25", 60, 21, 9, 0.2)),
        *(found("speck", 200, 60, 9, 0.1), found("10", 60, 40, 9)),
    ]
    lines, notes = together(ordered, sparse)
    said = [" ".join(word.text for word in line) for line in lines]
    assert said == ["Farmaco", "Furosemide 25", "2,54 10"]
    assert notes == (
        "ocr numbers outside the lines: 25",
        "ocr numbers read in two ways: 2,54 / 2,64",
        "ocr numbers hardly read: 10",
    )


def test_three_strokes_are_a_roman_figure() -> None:
    words = [Found(t, (0, 0, 1, 1), 0.9, (1, 1, 1)) for t in ("Ill.", "Il", "III", "111", "IIl")]
    found, otherwise = with_roman_figures(words)
    assert [word.text for word in found] == ["III.", "Il", "III", "111", "III"]
    assert otherwise == ["Ill", "IIl"]


@needs_tesseract
def test_a_scan_is_read_in_its_language(tmp_path: Path) -> None:
    if "ita" not in ocr.installed()[1]:
        pytest.skip("tesseract has no Italian")
    scan = scanned(tmp_path / "scan.pdf", pdf(tmp_path / "a.pdf", LETTER[1:]))
    assert texts(read(scan)) == ["page 1 is a picture without text; --ocr-language reads it"]
    report = one(scan, ocr_language="ita", keep_layout=True)
    assert report.text == f"{HEAD.format(2)}\n\nNYHA III, creatinina 2,64 mg/dl"
    assert json.loads(report.meta["scanned"]) == [1]
    words = [Placed(*row) for row in json.loads(report.meta["words"])]
    (value,) = boxes_at(words, at := report.text.index("2,64"), at + 4)
    assert value.box is not None
    assert abs(value.box[3] - 80) < 4  # points, though read at 200 dpi
    assert value.confidence is not None
    assert value.confidence > 0.5
    with pytest.raises(ConfigError, match="no data for xyz"):
        read(scan, ReadOptions(ocr_language="xyz"))


@needs_tesseract
@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_that_lies_turned_is_read_upright(tmp_path: Path, turn: int) -> None:
    import pypdfium2

    page = [
        text(50, 80, "Gentile collega, la signora sta bene da marzo."),
        text(50, 100, "Creatinina 2,64 mg/dl, emoglobina 11,8 g/dl."),
    ]
    document = pypdfium2.PdfDocument(pdf(tmp_path / "a.pdf", [page]))
    upright = document[0].render(scale=150 / 72).to_pil().crop((0, 0, 900, 300))
    document.close()
    upright.rotate(turn, expand=True).save(tmp_path / "a.png", dpi=(150, 150))
    report = one(tmp_path / "a.png", ocr_language="eng", keep_layout=True)
    assert "signora sta bene" in report.text
    assert "2,64 mg/dl" in report.text
    assert f"ocr page lies turned: page 1: {turn} degrees to the left" in report.notes
    words = [Placed(*row) for row in json.loads(report.meta["words"])]
    (value,) = boxes_at(words, at := report.text.index("2,64"), at + 4)
    assert value.box is not None
    height = 300 * 72 / 150
    left, top, right, _ = value.box
    baseline = {90: right, 180: height - top, 270: height - left}[turn]
    assert abs(baseline - 100) < 4  # points below the page's own upper edge


def test_without_the_extra_the_folder_says_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        pdf(tmp_path / f"{number}.pdf", [[text(50, 50, "x")]])
    monkeypatch.setattr(reader, "find_spec", lambda name: None)
    assert "8 PDF files" in (error := failure(tmp_path)).line()
    assert "[documents]" in error.remedy


def test_flags_of_documents_are_refused_elsewhere_and_told_in_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table_file = saved(tmp_path, "a.csv", "id,text\n1,Clear lungs.\n")
    out = tmp_path / "out"
    assert main(["label", str(table_file), "--most-pages", "3", "--out", str(out)]) == 2
    assert "--most-pages does not apply to this input" in capsys.readouterr().err
    page = [text(50, 50, "FINDINGS: Small left pleural effusion. The heart size is normal.")]
    pdf(tmp_path / "a.pdf", [page, page])
    flags = ["--model", "rules", "--most-pages", "3", "--out", str(out)]
    assert main(["label", str(tmp_path / "a.pdf"), *flags]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["options"]["most_pages"] == 3
    (row,) = map(json.loads, (out / "predictions.jsonl").read_text().splitlines())
    assert row["labels"]["Pleural Effusion"] == "positive"


def test_notes_of_the_reader_reach_the_predictions(tmp_path: Path) -> None:
    letters = tmp_path / "letters"
    letters.mkdir()
    pdf(letters / "a.pdf", [[text(50, 50, "x")]])
    saved(letters, "a.md", "FINDINGS: Small left pleural effusion.\n")
    flags = ["--model", "rules", "--out", str(tmp_path / "out")]
    assert main(["label", str(letters), *flags]) == 0
    (row,) = map(json.loads, (tmp_path / "out" / "predictions.jsonl").read_text().splitlines())
    assert row["notes"] == ["document read from the Markdown beside it: a.pdf"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["notes"] == {"document read from the Markdown beside it": 1}


def test_values_lead_back_to_their_pages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pdf(tmp_path / "a.pdf", LETTER)
    value, wrapped = (LETTER_TEXT.index(words) for words in ("2,64 mg/dl", "ricovero"))
    fields = {
        "dose": {"value": 2.64, "raw": "2,64 mg/dl", "spans": [[value, value + 10]]},
        "why": {"value": "x", "raw": "ricovero per", "spans": [[wrapped, wrapped + 12]]},
    }
    row = {"id": "a", "labels": {}, "raw": "", "problems": [], "notes": [], "model": "m"}
    row["fields"] = {name: {**one, "status": "stated"} for name, one in fields.items()}
    saved(tmp_path, "predictions.jsonl", json.dumps(row) + "\n")
    words = ["--pred", str(tmp_path / "predictions.jsonl"), "--out", str(tmp_path / "p.csv")]
    assert main(["places", str(path), *words]) == 0
    assert "1 document, 3 pieces" in capsys.readouterr().out
    with open(tmp_path / "p.csv", newline="", encoding="utf-8") as handle:
        dose, first, second = csv.DictReader(handle)
    assert (dose["name"], dose["text"], dose["page"]) == ("dose", "2,64 mg/dl", "2")
    assert float(dose["top"]) < 80 < float(dose["bottom"])
    assert (first["page"], second["page"]) == ("1", "1")
    assert (
        float(first["left"]) > 200 > float(second["right"])
    )  # at a line's end, at the next's start
    other = pdf(tmp_path / "b.pdf", LETTER)
    assert main(["places", str(other), *words]) == 2
    assert "none of these documents is in the predictions" in capsys.readouterr().err


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf", LETTER)
    first, second = (list(read_reports([path], ReadOptions())) for _ in range(2))
    assert first == second
