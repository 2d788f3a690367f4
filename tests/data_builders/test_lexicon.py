"""Lexicon files and their markup: mistakes are named with line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from kidney_lexicon import SMALL, SMALL_SET, small

from data_builders.synthetic.lexicon import SHIPPED, Lexicon
from data_builders.synthetic.phrases import compile_phrase, tidy, write
from data_builders.synthetic.reports import write_reports
from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet

CHEST = LabelSet.load("chexpert-14")
ZERO = [0.0].__getitem__


def first(*_: object) -> float:
    """A draw that always takes the first option."""
    return ZERO(0)


MISTAKES = [
    ("wrds:", "words:", "wrds:", "did you mean 'words'"),
    ("unknown label", "  Cyst:\n", "  Cysts:\n", "did you mean 'Cyst'"),
    ("derived label", "  Cyst:\n", "  Healthy:\n", "follows from the other labels"),
    ("unknown slot", "{side} renal", "{sde} renal", "did you mean 'side'"),
    ("open bracket", "[cyst]", '["[cyst"]', "not closed"),
    ("not text", "[cyst]", "[no]", "must be text"),
    ("too much", "uncertain: 0.1", "uncertain: 0.9", "add up to"),
    ("no way", "    terms: [stone]\n", "", "no unconditional way to say negative"),
    ("frame missing", '  pair: ["{x} and {y}"]\n', "", "'pair' is missing"),
    ("other set", "label_set: tiny", "label_set: chexpert-14", "made for 'chexpert-14'"),
    ("circle", "side: [left, right]", 'side: ["{side}"]', "break the circle"),
    ("bad weight", "weight: 1", "weight: heavy", "must be a number"),
    ("stray brace", "normal kidneys", '"normal {} kidneys"', "a slot is written {name}"),
]


@pytest.mark.parametrize(
    ("old", "new", "message"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_mistakes_in_a_lexicon_name_line_and_remedy(old: str, new: str, message: str) -> None:
    with pytest.raises(LabelSetError, match=r"^kidney.yaml:\d+: mistake in the lexicon") as caught:
        small(old, new)
    assert any(message in problem for problem in caught.value.problems)


def test_a_mistake_is_reported_at_its_line() -> None:
    line = next(i for i, text in enumerate(SMALL.splitlines(), 1) if "{side} stone" in text)
    with pytest.raises(LabelSetError) as caught:
        small("{side} stone", "{oide} stone")
    assert caught.value.row == line


def test_a_label_set_without_lexicon_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(LabelSetError, match=r"no lexicon for the label set 'tiny'.*chexpert-14"):
        write_reports(LabelSet.from_text(SMALL_SET), 1, 1)
    with pytest.raises(LabelSetError, match="no lexicon"):
        Lexicon.for_label_set(CHEST, tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("a [|small ]effusion", "an effusion"),
        ("no {t} , none", "no q, none"),
        ("[[a|b] unit|c]", "a unit"),
    ],
)
def test_markup(markup: str, expected: str) -> None:
    assert tidy(write(compile_phrase(markup), first, {}, {"t": "q"})) == expected


@pytest.mark.parametrize("markup", ["[a", "a]", "{a", "a}", "{}", "[a|{b]", "a|b"])
def test_broken_markup_is_refused(markup: str) -> None:
    with pytest.raises(ValueError, match=r"slot|closed|opening"):
        compile_phrase(markup)


def test_every_shipped_lexicon_belongs_to_a_shipped_label_set() -> None:
    for path in SHIPPED.glob("*.yaml"):
        assert Lexicon.for_label_set(LabelSet.load(path.stem)).label_set == path.stem
