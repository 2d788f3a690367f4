"""How much of a letter survives the scanner: critical strings kept, page by page.

python benchmarks/documents/scans.py

An invented Italian letter of three pages with ruled tables, 24 critical strings a page, from its
PDF, and from pictures of its pages with noise and turned by up to 1.2 degrees. Needs tesseract with
Italian.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from labelwright.readers import ReadOptions, read_reports
from labelwright.records import Report

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "helpers"))
from reading_tools import pdf, ruled_table, scanned, text

Rows = list[list[str]]
LETTER: list[tuple[list[str], Rows, list[str], Rows, list[str]]] = [
    (
        [
            "Cartella n. <00451278>   Nato il <17/05/1948>   Tel. <333 4512098>",
            "Ricoverato il <21/08/2019>, dimesso il <03/09/2019>.",
            "Diagnosi: stenosi aortica severa, classe <NYHA III>.",
        ],
        [
            ["Esame", "Ingresso", "Dimissione", "Unità"],
            ["Creatinina", "<2,64>", "<1,31>", "mg/dl"],
            ["Emoglobina", "<11,2>", "<9,8>", "g/dl"],
            ["Potassio", "<3,9>", "<4,4>", "mEq/l"],
            ["INR", "<1,02>", "<2,35>", ""],
        ],
        ["In data <27/08/2019> sostituzione valvolare con protesi <n. 23> (CEC <96 minuti>)."],
        [
            ["Farmaco", "Dose", "Orario"],
            ["Furosemide", "<25 mg>", "ore 8"],
            ["Bisoprololo", "<1,25 mg>", "ore 20"],
            ["Warfarin", "<5 mg>", "ore 17"],
        ],
        ["Alla dimissione PA <125/70> mmHg, FC <72 bpm>, FE <48%>, peso <71,5 kg>."],
    ),
    (
        [
            "Decorso: FA di nuova insorgenza in <III giornata>, cardiovertita.",
            "Trasfuse <2 unità> di emazie. Estubato dopo <14 ore>. Degenza <7 giorni>.",
        ],
        [
            ["Esame", "Valore", "Riferimento", "Data"],
            ["Troponina", "<0,048>", "sotto <0,014>", "<22/08/2019>"],
            ["PCR", "<48,7>", "sotto 5", "<23/08/2019>"],
            ["Piastrine", "<187>", "<150-400>", "<24/08/2019>"],
            ["BNP", "<1.240>", "sotto 100", "<25/08/2019>"],
        ],
        ["Gradiente medio <12 mmHg>, area <1,8 cm2>, PAPs <38 mmHg>."],
        [
            ["Farmaco", "Dose", "Durata"],
            ["Amiodarone", "<200 mg>", "<30 giorni>"],
            ["Ramipril", "<2,5 mg>", "cronico"],
            ["Cefazolina", "1 g", "<48 ore>"],
        ],
        ["Controllo il <15/10/2019> ore <10:30>, ambulatorio 4, tel. <02 5503781>."],
    ),
    (
        ["Peso all'ingresso <78,4 kg>, altezza <172 cm>, BMI <26,5>."],
        [
            ["Data", "PA", "FC", "SpO2"],
            ["<28/08/2019>", "<110/65>", "<88>", "<94%>"],
            ["<29/08/2019>", "<118/72>", "84", "<95%>"],
            ["<30/08/2019>", "<121/68>", "79", "<96%>"],
            ["<31/08/2019>", "<124/74>", "76", "<97%>"],
        ],
        ["Eco del <02/09/2019>: FE <52%>, versamento <6 mm>."],
        [
            ["Terapia", "Dose", "Note"],
            ["Lasix", "<50 mg>", "fino al 10/09"],
            ["Metoprololo", "<25 mg>", "FC oltre 55"],
            ["Enoxaparina", "<4000 UI>", "x 10 gg"],
        ],
        ["Firmato il <03/09/2019> dal medico di reparto, interno <1187>."],
    ),
]
SCANS = ((200, 0, 0.0), (200, 14, 1.2), (150, 14, 1.2))
"""Dots per inch, noise (standard deviation in 256 grey levels), degrees."""


def drawn(number: int) -> tuple[list[str], list[str]]:
    """The commands of a page, and its critical strings: the words in angle brackets."""
    marked: list[str] = []

    def plain(words: str) -> str:
        marked.extend(part.partition(">")[0] for part in words.split("<")[1:])
        return words.replace("<", "").replace(">", "")

    page = [text(50, 40, f"Ospedale Esempio, Cardiochirurgia, pagina {number + 1} di 3", 9)]
    top = 70
    first, labs, middle, drugs, last = LETTER[number]
    for lines, rows in ((first, labs), (middle, drugs), (last, [])):
        for line in lines:
            page.append(text(50, top, plain(line)))
            top += 16
        if rows:
            page += ruled_table(50, top + 8, [[plain(cell) for cell in row] for row in rows], 130)
            top += 20 * len(rows) + 26
    return page, marked


def kept(path: Path, wanted: list[list[str]], options: ReadOptions) -> tuple[list[int], float]:
    """Critical strings of each page that the text holds, and seconds a page."""
    start = time.perf_counter()
    (report,) = read_reports([path], options)
    seconds = (time.perf_counter() - start) / len(wanted)
    if not isinstance(report, Report):
        raise SystemExit(report.reason)
    starts = [at for _, at in json.loads(report.meta["pages"])]
    ends = [*starts[1:], len(report.text)]
    counts = []
    for strings, a, b in zip(wanted, starts, ends, strict=True):
        words = " ".join(report.text[a:b].replace("|", " ").split())
        counts.append(sum(string in words for string in strings))
    return counts, seconds


def main() -> None:
    """Print a line per way of reading."""
    pages, wanted = zip(*map(drawn, range(len(LETTER))), strict=True)
    sizes = "/".join(str(len(strings)) for strings in wanted)
    with TemporaryDirectory() as folder:
        letter = pdf(Path(folder) / "letter.pdf", pages)
        counts, seconds = kept(letter, list(wanted), ReadOptions())
        print(f"{'PDF':<26} kept {counts} of {sizes}, {seconds:.2f} s a page")
        for dpi, noise, turn in SCANS:
            path = Path(folder) / f"{dpi}-{noise}.pdf"
            scan = scanned(path, letter, dpi=dpi, noise=noise, turn=turn)
            counts, seconds = kept(scan, list(wanted), ReadOptions(ocr_language="ita"))
            name = f"scan {dpi} dpi, noise {noise}, {turn}°"
            print(f"{name:<26} kept {counts} of {sizes}, {seconds:.2f} s a page")


if __name__ == "__main__":
    main()
