"""Mentions found in texts of every look and size."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from clock_tools import growth
from finding_tools import NESTED, PLAIN, SURE, spans_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labelwright.label_set import LabelSet
from labelwright.records import Entity, in_order
from labelwright.tasks.entities.answer import MOST_LINES, parse, render, shifted
from labelwright.text.grounding import Grounder, fold

# Mentions in texts of every look


LOOKS = [
    ("ATAXIA of the hand", "ataxia", "ATAXIA"),
    ("Grippe: 'flu’s end", "flu's", "flu’s"),
    ("St. Anthony–Fire", "anthony-fire", "Anthony–Fire"),
    ("“quoted” pain", '"quoted"', "“quoted”"),
    ("oﬃcial ﬁnding", "finding", "ﬁnding"),
    ("oﬃcial ﬁnding", "official", "oﬃcial"),
    ("Grundstraße 3", "GRUNDSTRASSE", "Grundstraße"),
    ("İstanbul fever", "i̇stanbul", "İstanbul"),
    ("x² ½ Å", "x2", "x²"),
    ("red\r\n  blood\r\ncells", "red blood cells", "red\r\n  blood\r\ncells"),
    ("no\u00a0break here", "no break", "no\u00a0break"),
    ("🙂 ataxia 🙂🙂", "🙂🙂", "🙂🙂"),
    ("👩‍⚕️ notes 5 µg", "5 μg", "5 µg"),
    ("met\u00adformin daily", "metformin", "met\u00adformin"),
    ("zero\u200bwidth", "zerowidth", "zero\u200bwidth"),
    ("ataxia", "\ufeffataxia\u200b", "ataxia"),
    ("糖尿病と高血圧", "高血圧", "高血圧"),
    ("ﾃﾞｨｼﾞｰｽﾞ", "ディジーズ", "ﾃﾞｨｼﾞｰｽﾞ"),
    ("beta-blocker", "blocker", "blocker"),
]


@pytest.mark.parametrize(("text", "mention", "covered"), LOOKS)
def test_a_mention_is_found_as_a_reader_would_find_it(
    text: str, mention: str, covered: str
) -> None:
    (entity,) = parse(PLAIN, f"Disease: {mention}", text).value
    assert entity.text == covered
    assert text[slice(*entity.spans[0])] == covered


@pytest.mark.parametrize(
    "word", ["naïveté", "Ménière", "Ångström", "한국어 병명", "tiếng Việt", "ề"]
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_composed_and_decomposed_letters_are_the_same(word: str, form: Any) -> None:
    text = f"a {unicodedata.normalize(form, word)} b"
    other = unicodedata.normalize("NFD" if form == "NFC" else "NFC", word)
    ((span,),) = spans_of(PLAIN, f"Disease: {other}", text)
    assert span == (2, len(text) - 2)


def test_a_letter_is_never_cut_from_its_mark_nor_a_ligature_apart() -> None:
    assert spans_of(PLAIN, "Disease: Menie", "Me\u0301nie\u0300re") == [()]
    assert spans_of(PLAIN, "Disease: inding", "ﬁnding") == [()]
    assert spans_of(PLAIN, "Disease: of", "oﬃcial") == [()]


def test_places_at_word_borders_go_first() -> None:
    text = "chemotherapy, mother, MOTHE, hemo"
    assert spans_of(PLAIN, "Disease: hemo", text) == [((29, 33),)]
    assert spans_of(PLAIN, "Disease: othe", text) == [((4, 8),)]


def test_repeated_mentions_are_placed_one_behind_the_other() -> None:
    text = "ataxia; Ataxia; ATAXIA"
    assert spans_of(PLAIN, "Disease: ataxia\nDisease: ataxia\nDisease: ataxia", text) == [
        ((0, 6),),
        ((8, 14),),
        ((16, 22),),
    ]
    # Something in between says which one is meant.
    text = "fever. cough. fever."
    assert spans_of(PLAIN, "Disease: cough\nDisease: fever", text) == [((7, 12),), ((14, 19),)]


def test_a_short_mention_does_not_take_a_place_inside_a_longer_one() -> None:
    text = "breast cancer and cancer"
    answer = "Disease: breast cancer\nDisease: cancer"
    assert spans_of(PLAIN, answer, text) == [((0, 13),), ((18, 24),)]
    assert spans_of(NESTED, answer, text) == [((0, 13),), ((7, 13),)]


def test_parts_of_a_discontinuous_mention_are_near_each_other_and_behind_one_another() -> None:
    text = "breast and ovarian cancer"
    assert spans_of(PLAIN, "Disease: breast ... cancer", text) == [((0, 6), (19, 25))]
    assert spans_of(PLAIN, "Disease: breast … cancer", text) == [((0, 6), (19, 25))]
    assert spans_of(PLAIN, "Disease: cancer ... breast", text) == [()]
    far = "breast " + "x " * 200 + "cancer"
    assert spans_of(PLAIN, "Disease: breast ... cancer", far) == [()]
    # The nearest pair, not the first word with the next other one.
    twice = "breast pain. breast and lung cancer; cancer"
    assert spans_of(PLAIN, "Disease: breast ... cancer", twice) == [((13, 19), (29, 35))]
    # Three dots that the text itself holds are no gap.
    dots = "wait ... and see"
    assert spans_of(PLAIN, "Disease: wait ... and", dots) == [((0, 12),)]


def test_parts_of_two_discontinuous_mentions_do_not_share_a_place_without_nesting() -> None:
    text = "breast and ovarian cancer"
    answer = "Disease: breast ... cancer\nDisease: ovarian cancer"
    assert spans_of(PLAIN, answer, text) == [((0, 6), (19, 25)), ()]
    assert spans_of(NESTED, answer, text) == [((0, 6), (19, 25)), ((11, 25),)]


def test_an_entity_can_be_shifted_to_another_place() -> None:
    entity = Entity("Disease", ((1, 2), (4, 5)), "a b")
    assert shifted(entity, 10).spans == ((11, 12), (14, 15))


# Any text, any mentions


ALPHABETS = (
    "abcdefgABCDEFG",
    "aéèüßñÅİſ",
    "ﬁﬃæœŒ²½µΩσς",
    "кЖщЙї",
    "糖尿病高血圧",
    "🙂👩🫀",
    "e\u0301a\u0308n\u0303",
    "한국한",
    "'’\"“-–.…:,;()+*#",
)
WORD = st.one_of(*(st.text(alphabet=a, min_size=1, max_size=6) for a in ALPHABETS))
GAPS = st.sampled_from([" ", "  ", "\n", "\r\n", "\t", "\u00a0", " \n\n "])


@st.composite
def annotated(draw: st.DrawFn) -> tuple[str, list[Entity]]:
    """A text of words and some mentions in it, each standing there once and apart from others."""
    words = draw(st.lists(st.tuples(WORD, GAPS), min_size=1, max_size=14))
    text, places = "", []
    for word, gap in words:
        places.append((len(text), len(text) + len(word)))
        text += word + gap
    found: list[Entity] = []
    number = 0
    while number < len(places):
        length = draw(st.integers(1, 3))
        last = min(number + length, len(places)) - 1
        kind = draw(st.sampled_from(["Disease", "Chemical substance", ""]))
        if kind:
            found.append(Entity.of(text, kind, (places[number][0], places[last][1])))
        number = last + 1
    folded = fold(text).text
    return text, [e for e in found if _stands_once(e, folded)]


def _stands_once(entity: Entity, folded: str) -> bool:
    wanted = fold(entity.text).text.strip()
    places = [i for i in range(len(folded)) if folded.startswith(wanted, i)]
    return bool(wanted) and len(places) == 1


@settings(max_examples=200, deadline=None)
@given(annotated())
def test_what_is_written_is_read_as_the_same(made_up: tuple[str, list[Entity]]) -> None:
    text, entities = made_up
    # A mark at the front of a word belongs to the letter before the word, if there is one.
    assume(not any(unicodedata.combining(e.text[0]) for e in entities))
    for label_set in (PLAIN, NESTED):
        parsed = parse(label_set, render(label_set, entities), text, ended=True)
        assert list(parsed.value or ()) == entities
        assert not parsed.problems
        assert set(parsed.notes) <= {"written otherwise"}
        assert parsed.value is not None


@settings(max_examples=200, deadline=None)
@given(annotated(), st.data())
def test_nested_mentions_that_stand_once_are_read_as_the_same(
    made_up: tuple[str, list[Entity]], data: st.DataObject
) -> None:
    text, outer = made_up
    folded = fold(text).text
    inner = []
    for entity in outer:
        words = entity.text.split()
        if len(words) > 1:
            word = data.draw(st.sampled_from([words[0], words[-1]]))
            start = entity.start if word is words[0] else entity.end - len(word)
            inner.append(Entity.of(text, "Disease", (start, start + len(word))))
    kept = [e for e in inner if _stands_once(e, folded)]
    assume(not any(unicodedata.combining(e.text[0]) for e in outer + kept))
    every = in_order(outer + kept)
    assert list(parse(NESTED, render(NESTED, every), text).value) == every


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_answer_to_any_text_is_read_without_error(answer: str, text: str) -> None:
    for said in (answer, f"Disease: {answer}", f"Disease: {text}"):
        for label_set in (PLAIN, NESTED, SURE):
            for entity in parse(label_set, said, text).value or ():
                for start, end in entity.spans:
                    assert 0 <= start < end <= len(text)
                if entity.spans:
                    assert entity.text == " ".join(text[a:b] for a, b in entity.spans)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40))
def test_folding_knows_where_every_character_came_from(text: str) -> None:
    folded = fold(text)
    assert len(folded.text) == len(folded.starts) == len(folded.ends)
    assert list(folded.starts) == sorted(folded.starts)
    assert all(0 <= s < e <= len(text) for s, e in zip(folded.starts, folded.ends, strict=True))


# Size


HUGE, MANY = 250_000, MOST_LINES // 4


def lines_of(mention: str, number: int) -> str:
    return "\n".join([f"Disease: {mention}"] * number)


CASES: dict[str, tuple[LabelSet, Callable[[int], str], Callable[[int], str], bool]] = {
    "as many different mentions": (
        PLAIN,
        lambda size: " ".join(f"word{n} fever" for n in range(size // 16)),
        lambda number: "\n".join(f"Disease: word{n}" for n in range(number)),
        True,
    ),
    "one mention again and again, all before the first": (
        PLAIN,
        lambda size: "fever " * (size // 6) + "end",
        lambda number: f"Disease: end\n{lines_of('fever', number - 1)}",
        True,
    ),
    "discontinuous mentions": (
        NESTED,
        lambda size: "fever and lung cancer. " * (size // 23),
        lambda number: lines_of("fever ... cancer", number),
        True,
    ),
    "discontinuous ones that are not there": (
        PLAIN,
        lambda size: "a b " * (size // 4),
        lambda number: lines_of("b ... b ... c", number),
        False,
    ),
    "one letter": (
        PLAIN,
        lambda size: "a" * (size // 16),
        lambda number: "\n".join("Disease: " + "a" * n for n in range(1, number // 56)),
        True,
    ),
}
"""A text by its length in characters and an answer by its number of lines; are they placed?"""


@pytest.mark.parametrize("name", CASES)
def test_time_grows_with_the_note_and_with_the_lines_not_with_their_squares(name: str) -> None:
    """Up to a quarter of a megabyte, and to a quarter of the lines that are read."""
    label_set, text_of, answer_of, there = CASES[name]

    def place(size: tuple[int, int]) -> None:
        characters, number = size
        answer = answer_of(number)
        parsed = parse(label_set, answer, text_of(characters))
        found = parsed.value or ()
        assert len(found) == len(answer.splitlines())
        assert sum(bool(entity.spans) for entity in found) == there * len(found)

    little = (HUGE // 4, MANY // 4)
    assert growth(place, little, (HUGE, MANY // 4)) < 9
    assert growth(place, little, (HUGE // 4, MANY)) < 9


def test_grounding_of_nothing_and_in_nothing() -> None:
    assert Grounder("").place("Disease", "a") == ((), True)
    assert Grounder("a").place("Disease", " \u200b ") == ((), True)
