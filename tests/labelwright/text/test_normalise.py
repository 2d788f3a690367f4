"""Normalisation tables: what they change, and that every character knows where it came from."""

from __future__ import annotations

from pathlib import Path

import pytest
from clock_tools import growth
from hypothesis import given, settings
from hypothesis import strategies as st

from labelwright.errors import LabelSetError
from labelwright.records import Certainty, Entity
from labelwright.text.normalise import Normaliser, table_from_text
from labelwright.text.normalised_text import NormalisedText

CLEAN = Normaliser("clean", "1", lower_case=True, drop=("punctuation", "symbols", "numbers"))
WORDS = Normaliser(
    "words",
    "1",
    words={"ca": "carcinoma", "ca mammae": "breast cancer", "p.o.": "by mouth", "hepra": "hepar"},
)

TABLE = """
name: abdomen
version: "1.0"
lower_case: true
drop: [punctuation]
abbreviations:
  Ca.: karsinoma
  ka: kanan
  "p.o.": per oral
typos:
  hepra: hepar
terms:
  hati: hepar
"""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Ca of the lung, CA; cave.", "carcinoma of the lung, carcinoma; cave."),
        ("ca  mammae", "breast cancer"),  # the longest first, whatever the white space
        ("ca\nmammae", "breast cancer"),
        ("drug p.o. daily", "drug by mouth daily"),
        ("drug p. o. daily", "drug p. o. daily"),  # white space where the table has none
        ("ca1 1ca ca_ xca", "ca1 1ca carcinoma_ xca"),  # only whole words; _ is no letter
        ("cá ca\u0301", "cá ca\u0301"),  # nor a word without its accent
        ("", ""),
    ],
)
def test_words(text: str, wanted: str) -> None:
    assert WORDS.apply(text).text == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Lesi 5,5 x 3 cm (ka/ki)!", "lesi x cm ka ki"),
        ("HER2 3+, T1a; 1.5cm", "her2 t1a 1.5cm"),  # no number stands alone in T1a and 1.5cm
        ("Line one.\nLine two.", "line one\nline two"),
        ("One.\n\n\n- Two", "one\n\ntwo"),
        ("a-b", "a b"),
        ("...", ""),
        ("İstanbul", "i̇stanbul"),  # one letter becomes two characters
        ("ΟΔΟΣ", "οδος"),
    ],
)
def test_cleaning(text: str, wanted: str) -> None:
    assert CLEAN.apply(text).text == wanted


def test_nothing_to_do_changes_nothing() -> None:
    text = "As is,  5 cm.\n"
    normalised = Normaliser("none", "1").apply(text)
    assert normalised.text == text
    assert normalised.to_original((3, 5)) == (3, 5)


def test_cleaning_comes_before_the_words_and_is_applied_to_them_too() -> None:
    table = table_from_text(TABLE)
    assert table.apply("CA. HEPRA lobus KA; obat p.o.").text == (
        "karsinoma hepar lobus kanan obat per oral"
    )
    assert table.words["p o"] == "per oral"


def test_the_way_back() -> None:
    text = "Susp. Ca. hepra ka (5 cm)"
    normalised = table_from_text(TABLE).apply(text)
    assert normalised.text == "susp karsinoma hepar kanan 5 cm"

    def back(words: str) -> str:
        at = normalised.text.index(words)
        start, end = normalised.to_original((at, at + len(words)))
        return text[start:end]

    assert back("karsinoma") == "Ca"
    assert back("sino") == "Ca"  # a replacement counts whole
    assert back("karsinoma hepar") == "Ca. hepra"
    assert back("kanan") == "ka"
    assert back("5 cm") == "5 cm"
    assert back("usp") == "usp"

    def there(words: str) -> str | None:
        at = text.index(words)
        span = normalised.to_normalised((at, at + len(words)))
        return None if span is None else normalised.text[slice(*span)]

    assert there("Ca.") == "karsinoma"
    assert there("a. hep") == "karsinoma hepar"
    assert there("(5 cm)") == "5 cm"
    assert there("(") is None
    for bad in ((3, 3), (-1, 2), (0, 99)):
        with pytest.raises(ValueError, match="span"):
            normalised.to_original(bad)


def test_entities_move_there_and_back() -> None:
    text = "Ca. of hepra, ka."
    normalised = table_from_text(TABLE).apply(text)
    parts = Entity.of(text, "Disease", (0, 3), (7, 12), certainty=Certainty.POSITIVE)
    moved = normalised.entity_to_normalised(parts)
    assert moved == Entity(
        "Disease", ((0, 9), (13, 18)), "karsinoma hepar", certainty=Certainty.POSITIVE
    )
    assert normalised.entity_to_original(moved).text == "Ca hepra"
    assert normalised.entity_to_normalised(Entity.of(text, "Disease", (12, 13))) is None
    # half of what is replaced as a whole
    half = Entity.of(text, "Disease", (0, 1))
    assert normalised.widens(half)
    assert not normalised.widens(parts)
    # parts that become one
    two = Entity.of("p. o.", "Route", (0, 1), (3, 4))
    table = table_from_text(TABLE.replace('"p.o."', '"p o"'))
    joined = table.apply("p. o.").entity_to_normalised(two)
    assert joined is not None
    assert joined.spans == ((0, 8),)
    # a mention that a labeler wrote and the text does not hold stays as it is
    invented = Entity("Disease", (), "gout")
    assert normalised.entity_to_original(invented) == invented


ALPHABET = "abcAB caİß 15.,;-+()\n\u0301é_µ"
TEXTS = st.one_of(
    st.text(st.sampled_from(ALPHABET), max_size=60),
    st.lists(
        st.sampled_from(["Ca", "ca mammae", "hepra", "p.o.", "5,5", "T1", ".", "-", "\n", "x"]),
        max_size=15,
    ).map(" ".join),
    st.text(max_size=40),
)
BOTH = Normaliser(
    "both",
    "1",
    lower_case=True,
    drop=("punctuation", "numbers"),
    words={"ca": "carcinoma", "ca mammae": "breast cancer", "p o": "by mouth", "a b": "c"},
)


def same_words(one: str, other: str) -> bool:
    return "".join(one.lower().split()) == "".join(other.split())


@given(TEXTS, st.sampled_from([CLEAN, WORDS, BOTH]))
@settings(max_examples=150, deadline=None)
def test_every_character_comes_from_somewhere(text: str, table: Normaliser) -> None:
    normalised = table.apply(text)
    size = len(normalised.text)
    assert normalised.original == text
    assert len(normalised.starts) == len(normalised.ends) == size
    assert list(normalised.starts) == sorted(normalised.starts)
    assert list(normalised.ends) == sorted(normalised.ends)
    for at, char in enumerate(normalised.text):
        start, end = normalised.to_original((at, at + 1))
        assert 0 <= start < end <= len(text)
        if end == start + 1 and not char.isspace() and char not in set("carcinomabyuth es"):
            assert char in text[start].lower() or char == text[start]


@given(TEXTS, st.sampled_from([CLEAN, WORDS, BOTH]), st.data())
@settings(max_examples=150, deadline=None)
def test_there_and_back_never_loses_a_character(
    text: str, table: Normaliser, data: st.DataObject
) -> None:
    """What is left of a span, taken back, is the span but for what cleaning took off its ends."""
    if not text:
        return
    normalised = table.apply(text)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    there = normalised.to_normalised((start, end))
    if there is None:
        return
    back = normalised.to_original(there)
    assert back[0] < end
    assert start < back[1]
    again = normalised.to_normalised(back)
    assert again == there
    if not normalised.widens(Entity.of(text, "x", (start, end))):
        # exact: only white space, dropped marks and numbers are gone from the ends
        assert start <= back[0]
        assert back[1] <= end
        for lost in (text[start : back[0]], text[back[1] : end]):
            assert not table.apply(lost).text.strip() or not lost.strip()


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = CLEAN.apply(text).text
    assert CLEAN.apply(once).text == once


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_words_that_were_kept_are_the_same_words(text: str) -> None:
    """Without a table of words, normalising only takes away, but for the case."""
    normalised = CLEAN.apply(text)
    for at in range(len(normalised.text)):
        start, end = normalised.to_original((at, at + 1))
        if not normalised.text[at].isspace():
            assert end == start + 1
            assert normalised.text[at] in text[start].lower()


def test_time_grows_with_the_note_and_not_with_its_square() -> None:
    table = Normaliser(
        "large",
        "1",
        lower_case=True,
        drop=("punctuation",),
        words={f"word{i} two": f"other{i}" for i in range(5000)},
    )
    text = "Nothing here; Word77 two, and WORD4999  two more. "
    assert growth(lambda number: table.apply(text * number), 1000, 4000) < 9
    normalised = table.apply(text * 4000)  # 200,000 characters
    assert normalised.text.count("other77 ") == 4000
    assert normalised.text.count("other4999 ") == 4000


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: abdomen", "title: x", "unknown key 'title'; allowed: name, version, lower_case"),
        ('version: "1.0"', "version: 1.0", 'version must be text; write "1.0"'),
        ("lower_case: true", "lower_case: very", "lower_case must be true or false"),
        ("[punctuation]", "[stopwords]", "drop must be a list of some of: punctuation, symbols,"),
        ("hepra: hepar", "hepra: 5", "a word and what to write for it must be text"),
        ("hepra: hepar", "';': x", "cleaning leaves nothing of it; reword or delete it"),
        ("hepra: hepar", "hepra: ';'", "cleaning leaves nothing of what to write for it; reword"),
        ("hepra: hepar", "CA: kanker", "the word is given twice, also as 'Ca.'; delete one"),
        ("hepra: hepar", "hepra: hati", "the table would change 'hati' again; write what it is"),
        ("typos:", "typos: [a]\nmore:", "typos must be a mapping; write 'ca: carcinoma'"),
    ],
)
def test_mistakes_in_a_table(old: str, new: str, words: str) -> None:
    assert old in TABLE
    with pytest.raises(LabelSetError) as caught:
        table_from_text(TABLE.replace(old, new), "table.yaml")
    problems = [p for p in caught.value.problems if words in p]
    line = 1 + TABLE.replace(old, new)[: TABLE.index(old)].count("\n")
    assert problems
    assert problems[0].startswith(f"table.yaml:{line}:")


def test_a_word_that_yaml_reads_as_something_else() -> None:
    with pytest.raises(LabelSetError, match="must be text; YAML reads yes, no, on, off") as caught:
        table_from_text(TABLE.replace("hepra: hepar", "no: nein"), "table.yaml")
    assert caught.value.row == 10  # that of typos, since the word itself is not to be had


def test_a_table_that_changes_nothing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(LabelSetError, match="the table changes nothing"):
        table_from_text('name: a\nversion: "1"\n')
    with pytest.raises(LabelSetError, match="not a normalisation table"):
        table_from_text("- a\n")
    with pytest.raises(LabelSetError, match="cannot be read"):
        Normaliser.load(tmp_path / "none.yaml")


def test_match_case() -> None:
    table = table_from_text(
        'name: a\nversion: "1"\nmatch_case: true\nabbreviations: {AS: aortic stenosis, as: like}\n'
    )
    assert table.apply("AS as As").text == "aortic stenosis like As"
    assert table.facts() == {"name": "a", "version": "1", "sha256": table.fingerprint}


def test_unchanged() -> None:
    text = NormalisedText.unchanged("abc")
    assert (text.text, text.to_normalised((1, 2)), text.to_original((0, 3))) == (
        "abc",
        (1, 2),
        (0, 3),
    )
