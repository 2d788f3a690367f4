"""CoNLL files: schemes found out, documents told apart, texts made of tokens, bad tags."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_tools import PLAIN, failure, read, saved
from seqeval.metrics.sequence_labeling import get_entities

from labelwright.annotations import tags
from labelwright.annotations.tags import SCHEMES, Chunk, decode, encode, tag_of
from labelwright.errors import ConfigError
from labelwright.readers import ReadOptions, scan
from labelwright.records import Entity, Reject, Report

WORDS = ("No", "small", "cell", "lung", "cancer", "nodule", ".")
TAGGED = {
    "bio": "O O B-Dis I-Dis I-Dis B-Dis O",
    "iob1": "O O I-Dis I-Dis I-Dis B-Dis O",
    "bioes": "O O B-Dis I-Dis E-Dis S-Dis O",
    "bilou": "O O B-Dis I-Dis L-Dis U-Dis O",
    "io": "O O I-Dis I-Dis I-Dis O O",
}
TEXT = "No small cell lung cancer nodule ."


def rows(tagged: str, words: tuple[str, ...] = WORDS, between: str = "\t") -> str:
    return "".join(f"{w}{between}{t}\n" for w, t in zip(words, tagged.split(), strict=True))


def reports(items: list[Report | Reject]) -> list[Report]:
    assert all(isinstance(item, Report) for item in items), items
    return [item for item in items if isinstance(item, Report)]


def mentions(report: Report) -> list[tuple[str, str]]:
    assert report.entities is not None
    assert all(e == Entity.of(report.text, e.type, *e.spans) for e in report.entities)
    return [(e.type, e.text) for e in report.entities]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("between", ["\t", " ", "   ", " NN B-NP ", "\tNN\tB-NP\t"])
def test_every_scheme_is_found_out(tmp_path: Path, scheme: str, between: str) -> None:
    path = saved(tmp_path, "a.conll", rows(TAGGED[scheme], between=between))
    (report,) = reports(read(path, ReadOptions(keep_layout=True)))
    assert (report.id, report.text) == ("a", TEXT)
    assert report.meta["conll_scheme"] == scheme
    two = [("Dis", "cell lung cancer"), ("Dis", "nodule")]
    assert mentions(report) == (two if scheme != "io" else two[:1])


def test_sentences_are_lines_and_mentions_end_with_them(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.iob", "a\tB-X\n\n\r\nb\tI-X\r\n \t\nc\tO\nd\tO")
    (report,) = reports(read(path, ReadOptions(tag_scheme="bio", bad_annotations="repair"))[:1])
    assert report.text == "a\nb\nc d"
    assert mentions(report) == [("X", "a"), ("X", "b")]


def test_tokens_may_hold_anything_but_tabs_and_line_ends(tmp_path: Path) -> None:
    tokens = ("#", "# id", "1 000", "\xa0", "\u2028", "😀", "e\u0301", "-DOCSTART", "O")
    tagged = "O " * 8 + "B-X"
    (report,) = reports(read(saved(tmp_path, "a.bio", rows(tagged, tokens))))
    assert report.text == " ".join(tokens)
    assert mentions(report) == [("X", "O")]


def test_type_names_may_hold_hyphens_and_tags_may_have_no_type(tmp_path: Path) -> None:
    (report,) = reports(read(saved(tmp_path, "a.bio", "B\tB-B-cell\nx\tI-B-cell\n")))
    assert mentions(report) == [("B-cell", "B x")]
    (report,) = reports(read(saved(tmp_path, "b.bio", "a\tB\nb\tI\nc\tB\n")))
    assert mentions(report) == [("Entity", "a b"), ("Entity", "c")]


def test_tag_column(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.conll", "lung\tB-X\tB-NP\ncancer\tI-X\tI-NP\n")
    assert mentions(*reports(read(path))) == [("NP", "lung cancer")]
    assert mentions(*reports(read(path, ReadOptions(tag_column=2)))) == [("X", "lung cancer")]


# --- documents -------------------------------------------------------------------------------

BORDERS = {
    "docstart": ("-DOCSTART-\t-X-\tO\n\na\tO\n\nb\tO\n\n-DOCSTART- O\n\nc\tO\n", ["d#1", "d#2"]),
    "ids": ("# id = x 1\na\tO\n\nb\tO\n\n# id = y\nc\tO\n", ["x 1", "y"]),
    "one after the other": ("# id = x\na\tO\n\nb\tO\n# doc_id: y\nc\tO\n", ["x", "y"]),
    "both": ("-DOCSTART-\tO\n# id = x\na\tO\n\nb\tO\n-DOCSTART-\tO\n# id = y\nc\tO\n", ["x", "y"]),
    "conll-u": ("# newdoc id = x\na\tO\n\n# sent_id = 2\nb\tO\n\n# newdoc\nc\tO\n", ["x", "d#2"]),
    "multiconer": ("# id x domain=en\na\tO\n\nb\tO\n# id y domain=en\nc\tO\n", ["x", "y"]),
}


@pytest.mark.parametrize("name", BORDERS)
def test_borders_of_documents(tmp_path: Path, name: str) -> None:
    content, ids = BORDERS[name]
    path = saved(tmp_path, "d.conll", content)
    found = reports(read(path))
    assert [(r.id, r.text, r.row) for r in found] == [(ids[0], "a\nb", 1), (ids[1], "c", 2)]
    (whole,) = reports(read(path, ReadOptions(documents="file")))
    assert (whole.id, whole.text) == ("d", "a\nb\nc")
    by_sentence = reports(read(path, ReadOptions(documents="sentence")))
    assert [r.text for r in by_sentence] == ["a", "b", "c"]
    kept = reports(read(path, ReadOptions(keep_layout=True)))
    again = "\n".join(r.meta["conll"] for r in kept) + "\n"
    assert again.replace("\0", "O").splitlines() == content.replace("- O\n", "- O\n").splitlines()


def test_patients_and_documents_without_a_token(tmp_path: Path) -> None:
    path = saved(
        tmp_path, "d.conll", "# id = a\n# patient = p7\nx\tO\n\n# id = b\n# id = c\ny\tO\n"
    )
    first, empty, last = read(path)
    assert isinstance(first, Report)
    assert isinstance(last, Report)
    assert (first.id, first.patient, last.id, last.patient) == ("a", "p7", "c", None)
    assert empty == Reject("b", str(path), 2, "the report has no text")


def test_folder(tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    saved(tmp_path, "ward/a.conll", "x\tB-X\n")
    saved(tmp_path, "b.bioes", "x\tS-X\n")
    saved(tmp_path, "c.iob", "x\n")
    items = read(tmp_path)
    assert [(r.id, mentions(r)) for r in items if isinstance(r, Report)] == [
        ("b", [("X", "x")]),
        ("ward/a", [("X", "x")]),
    ]
    assert isinstance(items[1], Reject)
    assert items[1].reason.startswith("the file cannot be read on; c.iob after row 0: no line has")


def test_tsv_is_told_from_tables(tmp_path: Path) -> None:
    tagged = saved(tmp_path, "a.tsv", rows(TAGGED["bio"]) + "\n")
    assert mentions(*reports(read(tagged)))[0] == ("Dis", "cell lung cancer")
    table = saved(tmp_path, "b.tsv", "id\ttext\n1\tB-X\n2\tO\n")
    assert [r.text for r in reports(read(table))] == ["B-X", "O"]


# --- what is wrong ---------------------------------------------------------------------------


def test_tags_out_of_place_in_every_scheme(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.conll", rows("O O I-X I-X O B-X O"))
    error = failure(path).line()
    assert "tags are out of place in every scheme: 1 not bio, 1 not iob1" in error
    options = ReadOptions(tag_scheme="bio")
    where = "first at a.conll:3: a mention with a tag out of place in bio"
    assert read(path, options) == [
        Reject("a", str(path), 1, f"1 annotation that cannot be used; {where}")
    ]
    drop, counted = read(path, ReadOptions(tag_scheme="bio", bad_annotations="drop"))
    assert isinstance(drop, Report)
    assert mentions(drop) == [("X", "nodule")]
    assert counted == Reject(None, str(path), 1, f"1 annotation left out or repaired; {where}")
    repaired = read(path, ReadOptions(tag_scheme="bio", bad_annotations="repair"))[0]
    assert isinstance(repaired, Report)
    assert mentions(repaired) == [("X", "cell lung"), ("X", "nodule")]


@pytest.mark.parametrize(
    "tagged", ["O O B-X O S-X B-X E-X", "O O B-X I-X E-Y O O", "O E-X O O O O O"]
)
def test_unfinished_mentions_of_bioes(tmp_path: Path, tagged: str) -> None:
    path = saved(tmp_path, "a.conll", rows(tagged))
    (rejected,) = read(path)
    assert isinstance(rejected, Reject)
    assert "out of place in bioes" in rejected.reason


def test_mixed_or_wrongly_named_schemes(tmp_path: Path) -> None:
    mixed = saved(tmp_path, "a.conll", rows("O S-X O U-X O O O"))
    assert "the tags mix bioes and bilou" in failure(mixed).line()
    bioes = saved(tmp_path, "b.conll", rows(TAGGED["bioes"]))
    error = failure(bioes, ReadOptions(tag_scheme="bio")).line()
    assert "tags with B, E, I, S are not bio" in error
    for options in (ReadOptions(tag_scheme="bmewo"), ReadOptions(documents="page"), COLUMNS):
        with pytest.raises(ConfigError):
            scan([bioes], options)


COLUMNS = ReadOptions(id_column="x")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("lung", "no column with a tag"),
        ("\tB-X", "no token in the first column"),
        (
            "lung\tdisease",
            "the tag is of no scheme: neither O nor B-, I-, E-, S-, L-, U- and a type",
        ),
        ("lung\tB_X", "the tag is of no scheme: neither O nor B-, I-, E-, S-, L-, U- and a type"),
    ],
)
def test_broken_rows(tmp_path: Path, row: str, reason: str) -> None:
    path = saved(tmp_path, "a.conll", f"No\tO\n{row}\ncancer\tB-X\n")
    where = f"first at a.conll:2: {reason}"
    assert read(path) == [Reject("a", str(path), 1, f"1 annotation that cannot be used; {where}")]
    kept = read(path, ReadOptions(bad_annotations="drop", keep_layout=True))[0]
    assert isinstance(kept, Report)
    assert mentions(kept) == [("X", "cancer")]
    assert kept.text == "No lung cancer" if row.startswith("lung") else "No cancer"
    assert kept.meta["conll"].count("\0") == len(kept.text.split())


def test_a_file_that_is_no_conll(tmp_path: Path) -> None:
    prose = saved(tmp_path, "a.conll", "The lungs are clear.\nNo effusion.\n")
    assert "no line has a token and a tag" in failure(prose).line()
    assert failure(saved(tmp_path, "b.conll", "")).what == "the file is empty"
    assert "not valid UTF-8" in failure(saved(tmp_path, "c.conll", b"\xe4\tO\n")).line()
    latin = read(tmp_path / "c.conll", ReadOptions(encoding="latin-1"))
    assert [r.text for r in reports(latin)] == ["ä"]


def test_no_text_in_reasons(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.conll", "CANARY\tCANARY\nx\tB-X\nCANARY\n")
    for options in (PLAIN, ReadOptions(bad_annotations="drop")):
        assert not any("CANARY" in i.reason for i in read(path, options) if isinstance(i, Reject))


# --- schemes against themselves and seqeval --------------------------------------------------

TYPES = st.sampled_from(["X", "Y"])


@st.composite
def chunked(draw: st.DrawFn) -> tuple[int, list[Chunk]]:
    chunks, at = [], 0
    for _ in range(draw(st.integers(0, 4))):
        start = at + draw(st.integers(0, 2))
        at = start + draw(st.integers(1, 3))
        chunks.append(Chunk(draw(TYPES), start, at))
    return at + draw(st.integers(0, 2)), chunks


@pytest.mark.parametrize("scheme", ["bio", "iob1", "bioes", "bilou"])
@settings(deadline=None)
@given(sentence=chunked())
def test_tags_give_back_the_mentions(scheme: str, sentence: tuple[int, list[Chunk]]) -> None:
    length, chunks = sentence
    assert decode(encode(length, chunks, scheme), scheme) == chunks


@settings(deadline=None)
@given(sentence=chunked())
def test_io_joins_neighbours_of_one_type_and_nothing_else(
    sentence: tuple[int, list[Chunk]],
) -> None:
    length, chunks = sentence
    joined: list[Chunk] = []
    for chunk in chunks:
        if joined and (joined[-1].type, joined[-1].end) == (chunk.type, chunk.start):
            chunk = Chunk(chunk.type, joined.pop().start, chunk.end)
        joined.append(chunk)
    assert decode(encode(length, chunks, "io"), "io") == joined


@settings(deadline=None)
@given(sentences=st.lists(chunked(), min_size=1, max_size=4), scheme=st.sampled_from(SCHEMES))
def test_the_scheme_found_gives_the_same_mentions(
    sentences: list[tuple[int, list[Chunk]]], scheme: str
) -> None:
    """Tags may fit several schemes; whichever is found, the mentions are the same."""
    tagged = [encode(length, chunks, scheme) for length, chunks in sentences]
    pairs: Counter[tags.Pair] = Counter()
    for sentence in tagged:
        tags.pairs_of(sentence, pairs)
    found = tags.detect(pairs)
    assert found is not None
    assert [decode(t, found) for t in tagged] == [decode(t, scheme) for t in tagged]


TAG_LISTS = {
    scheme: st.lists(
        st.sampled_from(["O", *(f"{p}-{t}" for p in letters for t in "XY")]), max_size=8
    )
    for scheme, letters in {"bio": "BI", "bioes": "BIES"}.items()
}


@pytest.mark.parametrize("scheme", TAG_LISTS)
@settings(deadline=None)
@given(data=st.data())
def test_repaired_as_conlleval_and_seqeval_do(scheme: str, data: st.DataObject) -> None:
    """seqeval's default mode is conlleval's; of a lone ``B-X B-X`` in BIOES both make two."""
    written = data.draw(TAG_LISTS[scheme])
    found = decode([tag for w in written if (tag := tag_of(w))], scheme)
    wanted = [(kind, start, end + 1) for kind, start, end in get_entities(written)]
    assert [(c.type, c.start, c.end) for c in found] == wanted


@settings(deadline=None)
@given(written=TAG_LISTS["bioes"], scheme=st.sampled_from(["bio", "iob1", "bioes"]))
def test_counts_of_neighbours_agree_with_what_is_decoded(written: list[str], scheme: str) -> None:
    sentence = [tag for w in written if (tag := tag_of(w))]
    pairs: Counter[tags.Pair] = Counter()
    tags.pairs_of(sentence, pairs)
    count = tags.misfits(scheme, pairs)
    if count is not None:
        assert bool(count) == any(chunk.wrong for chunk in decode(sentence, scheme))
