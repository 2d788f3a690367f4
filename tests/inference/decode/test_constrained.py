"""Constrained decoding: the answer of asking slot after slot, in fewer passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from conftest import REPORTS
from decoding_tools import (
    ARCHITECTURES,
    BOTH,
    KNEE,
    LINE_ONLY,
    TANGLED,
    WINDOW,
    choose,
    letter_tokenizer,
    make_label_set,
    make_loaded,
    option_tokens,
    prompts_of,
    word_tokenizer,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.decode.constrained import Constrained
from inference.decode.decoder import DecodeOptions
from inference.load import Loaded
from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.answer import END, render

OPTIONS = DecodeOptions(batch_size=8, batch_tokens=256)
TEXTS = [" ".join(REPORTS[:4]), " ".join(REPORTS[4:9]), *REPORTS]


@dataclass(frozen=True)
class Walk:
    """What asking slot after slot gives."""

    labels: dict[str, Certainty]
    probs: dict[str, float]
    tokens: list[int]


def slot_by_slot(loaded: Loaded, text: str) -> Walk:
    """Every slot behind the ones before it, by the model's own forward pass."""
    (prompt,) = prompts_of(loaded, [text])
    sequence = list(prompt.tokens)
    labels, probs = {}, {}
    for name, prefix, options, follow in option_tokens(loaded):
        sequence += prefix
        labels[name], probs[name] = choose(loaded, sequence, options, follow)
        sequence += options[labels[name]]
    return Walk(labels, probs, sequence[len(prompt.tokens) :])


def assert_greedy(loaded: Loaded, texts: list[str], options: DecodeOptions = OPTIONS) -> int:
    """Compare with :func:`slot_by_slot`; return the passes over all lines."""
    constrained = Constrained(loaded, options)
    answers = constrained.decode(prompts_of(loaded, texts))
    decisions = sum(len(slot.choices) for slot in constrained.reader.answers.slots)
    assert sum(constrained.passes.values()) == len(texts)
    assert max(constrained.passes) <= decisions
    for text, answer in zip(texts, answers, strict=True):
        wanted = slot_by_slot(loaded, text)
        assert dict(answer.value) == wanted.labels
        assert answer.raw == render(loaded.label_set, wanted.labels)
        line = loaded.tokenizer(answer.raw.removesuffix(END), add_special_tokens=False)
        assert line["input_ids"] == wanted.tokens
        assert answer.probs is not None
        for name, value in wanted.probs.items():
            found = answer.probs[name]
            assert found[wanted.labels[name].value] == pytest.approx(value, abs=1e-4)
            assert sum(found.values()) == pytest.approx(1, abs=1e-5)
    return sum(passes * lines for passes, lines in constrained.passes.items())


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_it_is_the_answer_of_asking_slot_after_slot(kind: str) -> None:
    loaded = make_loaded(kind, KNEE)
    assert max(len(prompt.tokens) for prompt in prompts_of(loaded, TEXTS)) > 2 * WINDOW
    passes = assert_greedy(loaded, TEXTS)
    assert passes <= len(KNEE.labels) * len(TEXTS)


@pytest.mark.parametrize("layouts", [BOTH, LINE_ONLY], ids=["draft of branches", "usual draft"])
@pytest.mark.parametrize("batch_tokens", [1, 100, 100_000])
def test_neither_draft_nor_pack_change_the_answer(
    layouts: tuple[str, ...], batch_tokens: int
) -> None:
    loaded = make_loaded("llama", KNEE, layouts=layouts)
    assert_greedy(loaded, TEXTS, DecodeOptions(8, batch_tokens))


def test_fourteen_observations(chexpert: LabelSet) -> None:
    loaded = make_loaded("qwen2", chexpert, word_tokenizer(chexpert), layouts=LINE_ONLY)
    assert_greedy(loaded, list(REPORTS))


@pytest.mark.parametrize("layouts", [BOTH, LINE_ONLY], ids=["draft of branches", "usual draft"])
def test_words_that_begin_alike_in_single_letters(layouts: tuple[str, ...]) -> None:
    """Lines change their length from draft to draft; a word's end is a decision of its own."""
    loaded = make_loaded("mistral, window", TANGLED, letter_tokenizer(), layouts=layouts)
    assert_greedy(loaded, list(REPORTS))


words = st.text("ab", min_size=1, max_size=4)


@st.composite
def label_sets(draw: st.DrawFn) -> LabelSet:
    """Words and keys of few letters: many begin alike, many are parts of one another."""
    chosen = draw(st.lists(words, min_size=4, max_size=4, unique=True))
    names = draw(
        st.lists(st.text("xy", min_size=1, max_size=3), min_size=1, max_size=4, unique=True)
    )
    kinds = [["positive", "blank"], ["positive", "negative", "uncertain", "blank"]]
    labels = [{"name": name, "certainties": draw(st.sampled_from(kinds))} for name in names]
    return make_label_set(
        labels, words=dict(zip(["positive", "negative", "uncertain", "blank"], chosen, strict=True))
    )


@settings(max_examples=25, deadline=None)
@given(
    label_set=label_sets(),
    seed=st.integers(0, 5),
    layouts=st.sampled_from([BOTH, LINE_ONLY]),
    batch_tokens=st.sampled_from([1, 80, 1000]),
)
def test_any_words_and_keys(
    label_set: LabelSet, seed: int, layouts: tuple[str, ...], batch_tokens: int
) -> None:
    tokenizer = letter_tokenizer()
    loaded = make_loaded("llama", label_set, tokenizer, layouts=layouts, seed=seed, spread=0.4)
    assert_greedy(loaded, ["Tear?", "2 cysts", "\nClear."], DecodeOptions(8, batch_tokens))


def test_a_right_draft_takes_one_pass_and_a_better_one_fewer() -> None:
    """The usual answer is learned from the lines before: where all agree, one pass does."""
    loaded = make_loaded("phi, head with bias", KNEE, layouts=LINE_ONLY)
    constrained = Constrained(loaded, OPTIONS)
    prompts = prompts_of(loaded, list(REPORTS))
    first = constrained.decode(prompts)
    before = dict(constrained.passes)
    second = constrained.decode(prompts)
    assert [answer.value for answer in first] == [answer.value for answer in second]
    after = {n: count - before.get(n, 0) for n, count in constrained.passes.items()}
    assert sum(n * count for n, count in after.items()) <= sum(n * c for n, c in before.items())
    assert after[1] >= 6


def test_contradictions_are_named_and_stay() -> None:
    """The rule is the answer's own affair here, as in free decoding."""
    loaded = make_loaded("qwen2, grouped heads", KNEE)
    answers = Constrained(loaded, OPTIONS).decode(prompts_of(loaded, TEXTS))
    named = [answer for answer in answers if answer.problems]
    assert named
    for answer in answers:
        pairs = KNEE.contradictions(answer.value)
        assert answer.problems == tuple(f"contradiction: {a} / {b}" for a, b in pairs)


Change = Callable[[list[str]], list[str]]


@pytest.mark.parametrize("layouts", [BOTH, LINE_ONLY], ids=["draft of branches", "usual draft"])
def test_alone_means_that_not_even_earlier_reports_leave_a_trace(layouts: tuple[str, ...]) -> None:
    """Bit for bit: what was labeled before would otherwise change the draft and the passes."""
    loaded = make_loaded("llama", TANGLED, letter_tokenizer(), layouts=layouts)
    options = DecodeOptions(batch_size=8, batch_tokens=256, deterministic=True)
    texts = list(REPORTS)
    changes: list[Change] = [list, lambda t: t[::-1], lambda t: t[5:] + t[:5], lambda t: t * 2]
    seen: dict[str, set[str]] = {}
    for change in changes:
        constrained = Constrained(loaded, options)
        asked = change(texts)
        for text, answer in zip(asked, constrained.decode(prompts_of(loaded, asked)), strict=True):
            seen.setdefault(text, set()).add(repr((answer.value, answer.probs)))
    assert {len(found) for found in seen.values()} == {1}
