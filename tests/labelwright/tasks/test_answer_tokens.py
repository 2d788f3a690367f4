"""Answers in tokens: the line is the rendered text, and every option has its place in the tree."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from decoding_tools import KNEE, TANGLED, B, N, P, U, make_label_set
from hypothesis import given, settings
from hypothesis import strategies as st

from labelwright.errors import CheckpointError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.answer import choices, render
from labelwright.tasks.choices import AnswerTokens, SlotTokens

Encode = Callable[[str], list[int]]


def letters(text: str) -> list[int]:
    return list(text.encode())


def whole_words() -> Encode:
    """Words with the space before them, and single marks; numbers as they come."""
    known: dict[str, int] = {}
    return lambda text: [known.setdefault(w, len(known)) for w in re.findall(r" ?\w+|\W", text)]


def pieces() -> Encode:
    """Two letters of a word at a time."""
    known: dict[str, int] = {}
    return lambda text: [known.setdefault(w, len(known)) for w in re.findall(r" ?\w\w?|\W", text)]


words = st.text("ab", min_size=1, max_size=5)


@st.composite
def label_sets(draw: st.DrawFn) -> LabelSet:
    chosen = draw(st.lists(words, min_size=4, max_size=4, unique=True))
    names = draw(
        st.lists(st.text("xyz", min_size=1, max_size=3), min_size=1, max_size=5, unique=True)
    )
    kinds = [["positive", "blank"], ["positive", "negative", "uncertain", "blank"]]
    labels = [{"name": name, "certainties": draw(st.sampled_from(kinds))} for name in names]
    return make_label_set(
        labels, words=dict(zip(["positive", "negative", "uncertain", "blank"], chosen, strict=True))
    )


encodes = st.sampled_from([lambda: letters, whole_words, pieces])


def vectors(label_set: LabelSet) -> list[dict[str, Certainty]]:
    """All labels of small sets, some of large ones."""
    every = itertools.product(*(label_set.by_name[n].certainties for n in label_set.names))
    return [dict(zip(label_set.names, v, strict=True)) for v in itertools.islice(every, 300)]


@settings(max_examples=60, deadline=None)
@given(label_set=label_sets(), encode=encodes)
def test_the_line_is_the_rendered_text(label_set: LabelSet, encode: Callable[[], Encode]) -> None:
    to_tokens = encode()
    answers = AnswerTokens.of(choices(label_set), to_tokens)
    for labels in vectors(label_set):
        assert answers.line(labels) == to_tokens(render(label_set, labels))
    for index, slot in enumerate(choices(label_set).slots):
        for certainty, text in slot.options.items():
            assert answers.plain_length(index, certainty) == len(to_tokens(text))


def followed(
    slot: SlotTokens, start: int, answers: AnswerTokens, wanted: Sequence[int]
) -> list[int]:
    """The tokens that the targets of one observation lead to, from its first decision on."""
    tokens: list[int] = []
    while True:
        here = [c for c, choice in enumerate(slot.choices) if choice.after == tuple(tokens)]
        if not here:
            alike = [t for t in slot.options.values() if t[: len(tokens)] == tuple(tokens)]
            assert len(alike) == 1 or len({t[len(tokens)] for t in alike}) == 1
            if len(alike) == 1:
                return list(alike[0])
            tokens.append(alike[0][len(tokens)])
            continue
        decision = answers.tree.decisions[start + here[0]]
        assert decision.tokens == slot.choices[here[0]].tokens
        tokens.append(decision.tokens[wanted[start + here[0]]])


@settings(max_examples=60, deadline=None)
@given(label_set=label_sets(), encode=encodes)
def test_targets_lead_to_the_labels(label_set: LabelSet, encode: Callable[[], Encode]) -> None:
    answers = AnswerTokens.of(choices(label_set), encode())
    for labels in vectors(label_set)[:50]:
        wanted = answers.targets(labels)
        assert len(wanted) == len(answers.tree.decisions)
        due = 0
        for slot, start in zip(answers.slots, answers.tree.starts, strict=True):
            option = slot.options[labels[slot.label]]
            assert followed(slot, start, answers, wanted) == list(option)
            due += len(slot.paths[labels[slot.label]])
        assert sum(pick >= 0 for pick in wanted) == due


@settings(max_examples=60, deadline=None)
@given(label_set=label_sets(), encode=encodes, data=st.data())
def test_whatever_the_decisions_say_the_options_share_it_out(
    label_set: LabelSet, encode: Callable[[], Encode], data: st.DataObject
) -> None:
    """The products along the paths sum to 1, whatever is drawn for each decision."""
    answers = AnswerTokens.of(choices(label_set), encode())
    for slot in answers.slots:
        shares = []
        for choice in slot.choices:
            drawn = [data.draw(st.integers(1, 9)) for _ in choice.tokens]
            shares.append([weight / sum(drawn) for weight in drawn])
        total = 0.0
        for path in slot.paths.values():
            product = 1.0
            for choice_index, pick in path:
                product *= shares[choice_index][pick]
            total += product
        assert total == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(label_set=label_sets(), encode=encodes)
def test_a_branch_is_its_query_and_the_beginnings_of_its_options(
    label_set: LabelSet, encode: Callable[[], Encode]
) -> None:
    to_tokens = encode()
    answers = AnswerTokens.of(choices(label_set), to_tokens)
    tree, visible = answers.tree, answers.tree.visible()
    for slot, text, start in zip(answers.slots, choices(label_set).slots, tree.starts, strict=True):
        assert list(slot.query) == to_tokens(text.prefix.removeprefix(","))
        for number, choice in enumerate(slot.choices):
            node = tree.decisions[start + number].node
            seen = [index for index, there in enumerate(visible[node]) if there]
            assert [tree.tokens[index] for index in seen] == [*slot.query, *choice.after]
            assert [tree.depths[index] for index in seen] == list(range(len(seen)))
            assert seen[-1] == node
    nodes = {d.node for d in tree.decisions}
    needed = {index for node in nodes for index, there in enumerate(visible[node]) if there}
    assert needed == set(range(len(tree.tokens))), "no token that decides nothing"


def test_two_letter_keys_and_whole_words() -> None:
    """Every branch is its key alone, and everything is decided there at once."""
    answers = AnswerTokens.of(choices(KNEE), whole_words())
    assert [len(slot.query) for slot in answers.slots] == [1, 2, 1, 1, 1]
    assert [len(slot.choices) for slot in answers.slots] == [1, 1, 1, 1, 1]
    assert [len(slot.choices[0].tokens) for slot in answers.slots] == [4, 4, 2, 3, 2]
    assert len(answers.tree.tokens) == 6
    assert len(answers.option_tokens) == 4
    labels = {"Meniscal Tear": U, "Joint Effusion": N, "Bone Bruise": B, "Cyst": P, "Normal": B}
    assert answers.targets(labels) == [2, 1, 1, 0, 1]


def test_words_that_begin_alike_are_told_apart_by_what_follows() -> None:
    """no, nope, nop, yes: n or y; after "no" a comma or p; after "nop" a comma or e."""
    slot, _, last = AnswerTokens.of(choices(TANGLED), letters).slots
    afters = {bytes(c.after).decode(): bytes(c.tokens).decode() for c in slot.choices}
    assert afters == {" ": "ny", " no": ",p", " nop": "e,"}
    assert {c: bytes(t).decode() for c, t in slot.options.items()} == {
        P: " no,",
        N: " nope",
        U: " nop,",
        B: " yes",
    }
    assert {c: bytes(t).decode() for c, t in last.options.items()} == {P: " no", B: " yes"}


def test_the_last_word_is_followed_by_the_full_stop() -> None:
    label_set = make_label_set(
        [{"name": "x", "certainties": ["positive", "blank"]}],
        words={"positive": "a", "blank": "ab", "negative": "c", "uncertain": "d"},
    )
    (slot,) = AnswerTokens.of(choices(label_set), letters).slots
    assert bytes(slot.options[P]) == b" a."


def test_one_certainty_only_leaves_nothing_to_decide() -> None:
    labels = (replace(KNEE.labels[0], certainties=(B,)), *KNEE.labels[1:3])
    answers = AnswerTokens.of(
        choices(replace(KNEE, labels=labels, text="three labels, one of them fixed")), letters
    )
    assert answers.slots[0].choices == ()
    assert answers.slots[0].paths == {B: ()}
    assert answers.tree.starts[:2] == (0, 0)
    assert answers.targets({"Meniscal Tear": B, "Joint Effusion": P, "Bone Bruise": B})[0] == 0


def joining(text: str) -> list[int]:
    """A word's last letter melts into the comma after it."""
    return [ord(c) if len(c) == 1 else 1000 + ord(c[0]) for c in re.findall(r"\w,|.", text)]


def forgetful(text: str) -> list[int]:
    """It knows a word by its first three characters."""
    return [int.from_bytes(word[:3].encode()) for word in re.findall(r" ?\w+|\W", text)]


def test_tokenizers_that_cannot_tell_the_parts_apart_are_refused() -> None:
    with pytest.raises(CheckpointError, match="joins neighbouring parts of the answer") as joined:
        AnswerTokens.of(choices(KNEE), joining)
    assert "--layout line" in joined.value.line()
    with pytest.raises(CheckpointError, match="two options of ab the same tokens"):
        AnswerTokens.of(choices(TANGLED), forgetful)
