"""Annotated reports through every format that can hold them, and back."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading_tools import saved

from labelwright.annotations.conll import tokens
from labelwright.annotations.formats import WRITERS, write
from labelwright.annotations.writing import Written
from labelwright.readers import ReadOptions, read_reports
from labelwright.records import Certainty, Entity, Reject, Report, in_order

KEPT = ReadOptions(keep_layout=True)
NO_TEXT = "\0\ufeff\x7f" + "".join(map(chr, range(1, 9))) + "".join(map(chr, range(14, 32)))
"""NUL and other control characters make no text; a byte order mark is none at the beginning."""
CHARACTERS = st.one_of(
    st.sampled_from("aB1 .,-#\t\n\r\u2028\x85\xa0äß\u0301😀🏥中()\"'\\"),
    st.characters(exclude_characters=NO_TEXT, exclude_categories=["Cs"]),
)
TEXTS = (
    st.lists(CHARACTERS | st.just("\r\n"), min_size=1, max_size=50).map("".join).filter(str.strip)
)
TYPES = st.sampled_from(["Finding", "B-cell", "Größe", "O"])


@st.composite
def notes(draw: st.DrawFn, *, parts: int, certain: bool, probs: bool) -> Report:
    """A report with mentions anywhere: nested, overlapping, twice; of up to ``parts`` parts."""
    text = draw(TEXTS)
    entities = []
    for _ in range(draw(st.integers(0, 5))):
        size = min(2 * draw(st.integers(1, parts)), (len(text) + 1) // 2 * 2)
        borders = sorted(draw(st.sets(st.integers(0, len(text)), min_size=size, max_size=size)))
        if len(borders) < 2:
            continue
        spans = list(zip(borders[::2], borders[1::2], strict=False))
        certainty = draw(st.none() | st.sampled_from(Certainty)) if certain else None
        entity = Entity.of(text, draw(TYPES), *spans, certainty=certainty)
        if probs and draw(st.booleans()):
            prob = draw(st.integers(0, 1000)) / 1000
            entity = Entity(entity.type, entity.spans, entity.text, certainty, prob)
        entities.append(entity)
    patient = draw(st.none() | st.just("p 7"))
    return Report("ward/n 1", text, "x", 1, patient, entities=tuple(in_order(entities)))


HOLDS: dict[str, dict[str, Any]] = {
    "brat": {"parts": 3, "certain": True, "probs": False},
    "entities": {"parts": 3, "certain": True, "probs": True},
    "doccano": {"parts": 1, "certain": False, "probs": False},
    "label-studio": {"parts": 1, "certain": True, "probs": False},
}


def through(name: str, reports: Sequence[Report], **how: Any) -> tuple[list[Report], Written]:
    """Written to a fresh folder and read again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / WRITERS[name].name
        written = write(path, name, [(r, r.entities) for r in reports], **how)
        # Trimming has tests of its own; the mentions drawn here begin and end anywhere.
        edges = "trim" if name == "conll" else "keep"
        options = ReadOptions(format=name, keep_layout=True, mention_edges=edges)
        found = list(read_reports([path], options))
    assert not [item for item in found if isinstance(item, Reject)], found
    return [item for item in found if isinstance(item, Report)], written


@pytest.mark.parametrize("name", HOLDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_a_format_can_hold_comes_back(name: str, data: st.DataObject) -> None:
    report = data.draw(notes(**HOLDS[name]))
    (again,), written = through(name, [report])
    assert (again.id, again.text, again.entities) == (report.id, report.text, report.entities)
    assert again.patient == (None if name == "brat" else report.patient)
    assert report.entities is not None
    assert (written.entities, written.left_out.total()) == (len(report.entities), 0)
    assert written.changed["patients left out"] == (name == "brat" and report.patient is not None)
    assert set(written.changed) <= {"patients left out"}


@pytest.mark.parametrize("name", [*HOLDS, "conll"])
def test_reports_without_annotations_stay_so(name: str) -> None:
    unknown = Report("a", "No nodule.", "x", 1)
    none = Report("b", "No nodule.", "x", 2, entities=())
    found, written = through(name, [unknown, none])
    if name == "conll":
        assert [(r.id, r.entities) for r in found] == [("b", ())]
        assert written.changed.total() == 1
    else:
        assert [(r.id, r.entities) for r in found] == [("a", None), ("b", ())]


# --- what a format cannot hold -----------------------------------------------------------------

TEXT = "No small cell lung cancer. Nodule nodule."
CANCER = Entity.of(TEXT, "Disease", (3, 25))
LUNG = Entity.of(TEXT, "Organ", (14, 18))
SPLIT = Entity.of(TEXT, "Disease", (3, 8), (19, 25), certainty=Certainty.NEGATIVE)
FIRST, SECOND = Entity.of(TEXT, "X", (27, 33)), Entity.of(TEXT, "X", (34, 40))
INVENTED = Entity("Disease", (), "asthma", prob=0.5)
SHIFTED = Entity("Disease", ((4, 26),), "small cell lung cancer")
BEYOND = Entity("Disease", ((30, 99),), "dule.")
LEFT = {
    "brat": {"not in the text": 1, "offsets that do not fit the text": 2},
    "entities": {"not in the text": 1, "offsets that do not fit the text": 2},
    "doccano": {"not in the text": 1, "offsets that do not fit the text": 2, "discontinuous": 1},
    "label-studio": {
        "not in the text": 1,
        "offsets that do not fit the text": 2,
        "discontinuous": 1,
    },
    "conll": {
        "not in the text": 1,
        "offsets that do not fit the text": 2,
        "discontinuous": 1,
        "overlapping another": 1,
    },
}


@pytest.mark.parametrize("name", LEFT)
def test_what_cannot_be_written_is_counted(name: str) -> None:
    entities = (CANCER, SPLIT, LUNG, FIRST, SECOND, INVENTED, SHIFTED, BEYOND)
    report = Report("a", TEXT, "x", 1, entities=entities)
    (again,), written = through(name, [report])
    assert written.left_out == LEFT[name]
    assert again.entities is not None
    assert written.entities == len(again.entities) == len(entities) - sum(LEFT[name].values())


def test_io_cannot_divide_neighbours() -> None:
    text = "nodule nodule mass"
    entities = [Entity.of(text, k, s) for k, s in [("X", (0, 6)), ("X", (7, 13)), ("Y", (14, 18))]]
    report = Report("a", text, "x", 1, entities=tuple(entities))
    (again,), written = through("conll", [report], scheme="io")
    assert again.entities == (Entity.of(text, "X", (0, 13)), entities[2])
    assert written.left_out == {
        "joined to a neighbour of the same type, as io cannot divide them": 1
    }
    (again,), written = through("conll", [report], scheme="iob1")
    assert again.entities == tuple(entities)


# --- CoNLL -------------------------------------------------------------------------------------


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("scheme", ["bio", "iob1", "bioes", "bilou"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(report=notes(parts=1, certain=False, probs=False))
def test_any_text_through_conll(scheme: str, report: Report) -> None:
    """White space is lost, all else stays: mentions that do not overlap come back in order."""
    found, written = through("conll", [report], scheme=scheme)
    assert report.entities is not None
    assert written.entities + written.left_out.total() == len(report.entities)
    apart: list[Entity] = []
    for entity in report.entities:
        if not apart or entity.start >= apart[-1].end:
            apart.append(entity)
    wanted = [(e.type, squeezed(e.text)) for e in apart if squeezed(e.text)]
    (again,) = found
    assert squeezed(again.text) == squeezed(report.text)
    assert [(e.type, squeezed(e.text)) for e in again.entities or ()] == wanted
    (third,), _ = through("conll", [again], scheme=scheme)
    assert (third.text, third.entities, third.meta) == (again.text, again.entities, again.meta)


@settings(deadline=None)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 60), max_size=5))
def test_tokens_cover_everything_but_white_space(text: str, cuts: list[int]) -> None:
    spans = tokens(text, cuts)
    assert "".join(text[start:end] for start, end in spans) == squeezed(text)
    assert all(start < end for start, end in spans)
    assert not [cut for cut in cuts for start, end in spans if start < cut < end]


def test_letters_and_the_marks_on_them_are_one_token() -> None:
    for text in ("e\u0301cole", "हिन्दी", "Mäg̃en"):
        assert tokens(text) == [(0, len(text))]
    assert tokens("pT2(N0)") == [(0, 3), (3, 4), (4, 6), (6, 7)]


CONLL_FILES = [
    "No\tO\nlung\tB-X\ncancer\tI-X\n\nNodule\tB-X\n\n",
    "EU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\nGerman JJ I-NP I-MISC\ncall NN I-NP B-MISC\n",
    "-DOCSTART- -X- O O\n\n1.5\tCD\tS-X\nmg\tNN\tO\n\n-DOCSTART- -X- O O\n\na\tB\tB-X\nb\tI\tE-X\n",
    "# id = a b\n# patient = 7\nx y\tU-X\n# a remark\n\n\n#\tO\n# newdoc id = c\nz\tO\n\n",
    "# id q domain=en\nx\tB-X\n\n# id r domain=en\ny\tO\n\n",
    "a\tB\nb\tI\nc\tO\n",
]


@pytest.mark.parametrize("content", CONLL_FILES)
def test_conll_files_come_back_byte_by_byte(tmp_path: Path, content: str) -> None:
    """But for ``# id`` lines, in files that do not say an id."""
    path = saved(tmp_path, "a.conll", content)
    reports = [item for item in read_reports([path], KEPT) if isinstance(item, Report)]
    write(tmp_path / "b.conll", "conll", [(r, r.entities) for r in reports])
    again = (tmp_path / "b.conll").read_text()
    own = "" if "# id" in content else "# id = "
    lines = [line for line in again.splitlines() if not (own and line.startswith(own))]
    assert lines == content.splitlines()
    write(tmp_path / "c.conll", "entities", [(r, r.entities) for r in reports])
    through_json = list(
        read_reports([tmp_path / "c.conll"], ReadOptions("id", format="entities", keep_layout=True))
    )
    write(
        tmp_path / "d.conll",
        "conll",
        [(r, r.entities) for r in through_json if isinstance(r, Report)],
    )
    assert (tmp_path / "d.conll").read_text() == again


@pytest.mark.parametrize("scheme", ["bio", "iob1", "bioes", "bilou"])
def test_every_scheme_to_every_other_and_back(tmp_path: Path, scheme: str) -> None:
    content = CONLL_FILES[0]
    read = [
        r
        for r in read_reports([saved(tmp_path, "a.conll", content)], KEPT)
        if isinstance(r, Report)
    ]
    (there,), _ = through("conll", read, scheme=scheme)
    write(tmp_path / "back.conll", "conll", [(there, there.entities)], scheme="bio")
    assert (tmp_path / "back.conll").read_text() == f"# id = a\n{content}"


# --- BRAT --------------------------------------------------------------------------------------

ANN = (
    "T3\tOrgan 14 18\tlung\nR1\tIn Arg1:T1 Arg2:T3\nT1\tDisease 3 25\tsmall cell lung cancer\n"
    "A1\tNegation T1\nA2\tSize T1 3\nE1\tDisease:T1\n*\tEquiv T1 T3\n#1\tAnnotatorNotes T1\twhy?\n"
    "N1\tReference T1 ICD-O:8041/3\tsmall cell carcinoma\n"
)


@pytest.mark.parametrize("by", ["brat", "entities"])
def test_all_lines_of_a_brat_folder_come_back(tmp_path: Path, by: str) -> None:
    (tmp_path / "in").mkdir()
    saved(tmp_path, "in/n.txt", TEXT + "\r\n")
    saved(tmp_path, "in/n.ann", ANN)
    reports = [r for r in read_reports([tmp_path / "in"], KEPT) if isinstance(r, Report)]
    if by == "entities":
        reports, _ = through("entities", reports)
    written = write(tmp_path / "out", "brat", [(r, r.entities) for r in reports])
    assert (tmp_path / "out/n.txt").read_bytes() == TEXT.encode() + b"\r\n"
    assert (tmp_path / "out/n.ann").read_text() == ANN
    assert not written.changed


def test_other_lines_are_left_out_when_mentions_changed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    saved(tmp_path, "in/n.txt", TEXT)
    saved(tmp_path, "in/n.ann", ANN)
    (report,) = read_reports([tmp_path / "in"], KEPT)
    assert isinstance(report, Report)
    written = write(tmp_path / "out", "brat", [(report, [LUNG])])
    assert (tmp_path / "out/n.ann").read_text() == "T1\tOrgan 14 18\tlung\n"
    assert written.changed == {"other annotations left out": 7}


def test_ids_become_safe_file_names(tmp_path: Path) -> None:
    ids = ["a/../b", ".hidden", "x\ny", "ü" * 300, "/abs", "end/", "100%", "n.txt", "n.ann", "n.gz"]
    reports = [Report(name, "Clear.", "x", 1, entities=()) for name in ids]
    written = write(tmp_path / "out", "brat", [(r, ()) for r in reports])
    inside = [p for p in (tmp_path / "out").rglob("*") if p.suffix == ".txt"]
    assert len(inside) == len(ids)
    assert all(not p.name.startswith(".") for p in inside)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]
    found = [r.id for r in read_reports([tmp_path / "out"], ReadOptions()) if isinstance(r, Report)]
    assert len(found) == len(ids)
    assert {"100%", "n.txt", "n.ann", "n.gz"} <= set(found)
    assert written.changed == {"ids written otherwise": 6}
