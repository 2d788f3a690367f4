"""The certainty task: what is written is read back; what is odd is named, never guessed."""

from __future__ import annotations

import string

import pytest
from clock_tools import growth
from hypothesis import given, settings
from hypothesis import strategies as st

from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet, shipped_names
from labelwright.prompt import messages
from labelwright.records import Certainty
from labelwright.tasks.certainty.answer import END, choices, parse, render, system_prompt

P, N, U, B = Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN, Certainty.BLANK
SMALL = LabelSet.from_text("""
name: small
version: "1"
task: certainty
instruction: "Label {labels} as {certainties}"
labels:
  - {name: Alpha, key: A, synonyms: [first one]}
  - {name: Beta, certainties: [positive, blank]}
  - {name: Gamma ray}
exclusive:
  - {label: Beta, with: [Alpha]}
""")
GOOD = "A negative, Beta blank, Gamma ray uncertain."
READ = {"Alpha": N, "Beta": B, "Gamma ray": U}

name_text = st.text(string.ascii_letters + string.digits + " /()-+'é中", min_size=1, max_size=12)


@st.composite
def label_sets(draw: st.DrawFn) -> LabelSet:
    """Any valid label set, with keys, own certainties and answer words now and then."""
    names = draw(st.lists(name_text, min_size=1, max_size=6, unique_by=str.casefold))
    words = draw(
        st.sampled_from(
            ["", "certainties: {positive: '+', negative: '-', uncertain: '?', blank: '0'}"]
        )
    )
    lines = ["name: drawn", 'version: "1"', "task: certainty", "instruction: x {labels}", words]
    lines.append("labels:")
    for name in names:
        quoted = name.replace("'", "''")
        own = draw(st.sampled_from(["", ", certainties: [positive, blank]"]))
        lines.append(f"  - {{name: '{quoted}'{own}}}")
    try:
        return LabelSet.from_text("\n".join(lines))
    except LabelSetError:
        return SMALL


@given(st.data())
def test_parse_reads_back_what_render_wrote(data: st.DataObject) -> None:
    label_set = data.draw(label_sets())
    labels = {
        label.name: data.draw(st.sampled_from(label.certainties)) for label in label_set.labels
    }
    read = parse(label_set, render(label_set, labels), ended=True)
    assert read.value == labels
    kinds = {problem.split(":")[0] for problem in read.problems}
    assert kinds <= {"contradiction"}
    assert read.notes == ()


@pytest.mark.parametrize(
    "name", [n for n in shipped_names() if LabelSet.load(n).task == "certainty"]
)
@settings(deadline=None)
@given(data=st.data())
def test_shipped_label_sets_round_trip(name: str, data: st.DataObject) -> None:
    label_set = LabelSet.load(name)
    labels = {
        label.name: data.draw(st.sampled_from(label.certainties)) for label in label_set.labels
    }
    assert parse(label_set, render(label_set, labels)).value == labels


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    read = parse(SMALL, text)
    assert tuple(read.value) == SMALL.names
    undetermined = [name for name, value in read.value.items() if value is None]
    assert not undetermined or read.problems


@given(st.integers(0, len(GOOD) - 1))
def test_an_answer_cut_anywhere_is_never_complete_and_silent(length: int) -> None:
    read = parse(SMALL, GOOD[:length])
    assert "cut off" in read.problems
    known = {name: value for name, value in read.value.items() if value is not None}
    assert known.items() <= READ.items()


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("a NEGATIVE, beta Blank, gamma RAY uncertain.", {"case: Alpha", "case: Gamma ray"}),
        ("Beta blank, A negative, Gamma ray uncertain.", {"order"}),
        ("A  negative ,Beta blank,\nGamma ray: uncertain.", {"spacing"}),
        ("First one negative, Beta blank, Gamma ray uncertain.", {"synonym: Alpha"}),
        ("Alpha negative; Beta = blank; Gamma  ray uncertain.", {"synonym: Alpha"}),
    ],
)
def test_other_ways_of_writing_are_accepted_and_noted(text: str, notes: set[str]) -> None:
    read = parse(SMALL, text)
    assert read.value == READ
    assert read.problems == ()
    assert notes <= set(read.notes)


@pytest.mark.parametrize(
    ("text", "problem", "undetermined"),
    [
        ("A negative, Gamma ray blank.", "missing: Beta", {"Beta"}),
        ("A negative, Beta blank, Gamma ray blank, Delta blank.", "unknown observation", set()),
        ("A negative, A negative, Beta blank, Gamma ray blank.", "repeated: Alpha", set()),
        ("A negative, A positive, Beta blank, Gamma ray blank.", "repeated: Alpha", {"Alpha"}),
        ("A maybe, Beta blank, Gamma ray blank.", "unknown certainty: Alpha", {"Alpha"}),
        ("A blank, Beta negative, Gamma ray blank.", "forbidden certainty: Beta", {"Beta"}),
        ("A positive, Beta positive, Gamma ray blank.", "contradiction: Beta / Alpha", set()),
        ("Sure! Here you are: A negative, Beta blank, Gamma ray blank.", "chatter", set()),
        ("A negative, Beta blank, Gamma ray blank. I hope this helps", "chatter", set()),
        # A further answer behind the line: what it says otherwise is open, sentences say nothing.
        (f"{GOOD}\n{GOOD}", "repeated: Alpha", set()),
        (f"{GOOD}\n{GOOD.replace('negative', 'positive')}", "repeated: Alpha", {"Alpha"}),
        (f'{GOOD}\n{{"Alpha": "positive", "Beta": "blank"}}', "repeated: Beta", {"Alpha"}),
        (f"{GOOD} Wait: a positive, then. Alpha Positive.", "repeated: Alpha", {"Alpha"}),
        (f"{GOOD} So A is positive, and one may say Alpha can be positive.", "chatter", set()),
        ("Sure. A negative, Beta blank, Gamma ray blank.", "missing: Alpha", set(SMALL.names)),
        ("I cannot say", "chatter", {"Alpha", "Beta", "Gamma ray"}),
        ("", "cut off", {"Alpha", "Beta", "Gamma ray"}),
        ("A negative,, Beta blank, Gamma ray blank.", "empty item", set()),
    ],
)
def test_problems_are_named(text: str, problem: str, undetermined: set[str]) -> None:
    read = parse(SMALL, text)
    assert problem in read.problems
    assert {name for name, value in read.value.items() if value is None} == undetermined


def test_end_of_the_model_counts_too() -> None:
    whole = GOOD.removesuffix(END)
    assert parse(SMALL, whole, ended=True).notes == ("no full stop",)
    assert parse(SMALL, whole, ended=True).problems == ()
    assert "cut off" in parse(SMALL, GOOD, ended=False).problems


def test_a_cut_word_that_could_have_grown_is_not_trusted() -> None:
    words = "certainties: {positive: sure, negative: 'no', uncertain: not-sure, blank: x}"
    label_set = LabelSet.from_text(SMALL.text + words)
    assert parse(label_set, "A no").value["Alpha"] is None
    assert parse(label_set, "A no, Beta x").value["Alpha"] is N


def test_problems_never_quote_the_answer() -> None:
    read = parse(SMALL, "Mrs Smith has Delta positive, secret word, A secret.")
    assert not any("Smith" in p or "secret" in p or "Delta" in p for p in read.problems)


@pytest.mark.parametrize(
    ("head", "space", "tail"), [("A", " ", "is blank"), ("A blank", "\t", "x"), ("", "\n ", "")]
)
def test_endless_white_space_takes_linear_time(head: str, space: str, tail: str) -> None:
    def read(number: int) -> None:
        assert parse(SMALL, head + space * number + tail, ended=False).problems

    assert growth(read, 25_000, 100_000) < 9


def test_slots_make_up_the_line() -> None:
    line = "".join(slot.prefix + slot.options[B] for slot in choices(SMALL).slots) + END
    assert line == render(SMALL, {})


def test_render_refuses_what_the_label_set_does_not_know() -> None:
    with pytest.raises(ValueError, match="Delta"):
        render(SMALL, {"Delta": P})
    with pytest.raises(ValueError, match="Beta cannot be negative"):
        render(SMALL, {"Beta": N})


def test_prompt_holds_the_report_in_the_user_turn_alone() -> None:
    system, user = messages(SMALL, "the report")
    assert user == {"role": "user", "content": "the report"}
    assert system["role"] == "system"
    assert system_prompt(SMALL) == (
        "Label A Alpha, Beta, Gamma ray as positive, negative, uncertain, blank"
    )
