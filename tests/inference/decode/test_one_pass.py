"""One-pass decoding: every observation has the probabilities that it would have alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from conftest import REPORTS
from decoding_tools import (
    ARCHITECTURES,
    KNEE,
    REFUSED,
    TANGLED,
    WINDOW,
    B,
    N,
    P,
    U,
    every_probability,
    letter_tokenizer,
    make_label_set,
    make_loaded,
    merging_tokenizer,
    option_tokens,
    prompts_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.decode.decoder import DecodeOptions
from inference.decode.one_pass import OnePass
from inference.load import Loaded
from labelwright.errors import CheckpointError
from labelwright.label_set import LabelSet
from labelwright.records import Answer
from labelwright.tasks.certainty.answer import render

OPTIONS = DecodeOptions(batch_size=8, batch_tokens=256)
TEXTS = [" ".join(REPORTS[:4]), " ".join(REPORTS[4:9]), "Clear lungs.", "1.5 cm cyst\nno tear"]
"""The first two are longer than the models' windows."""


def decoded(loaded: Loaded, texts: list[str], options: DecodeOptions = OPTIONS) -> list[Answer]:
    return OnePass(loaded, options).decode(prompts_of(loaded, texts))


def alone(loaded: Loaded, text: str) -> dict[str, dict[str, float]]:
    """Every observation asked behind the prompt, in sequences of their own."""
    (prompt,) = prompts_of(loaded, [text])
    found = {}
    for place, (name, prefix, options, follow) in enumerate(option_tokens(loaded)):
        written = loaded.tokenizer.decode(prefix)
        query = written if place == 0 else written.removeprefix(",")
        tokens = loaded.tokenizer(query, add_special_tokens=False)["input_ids"]
        probs = every_probability(loaded, [*prompt.tokens, *tokens], options, follow)
        found[name] = {certainty.value: value for certainty, value in probs.items()}
    return found


def assert_as_alone(loaded: Loaded, texts: list[str]) -> None:
    for text, answer in zip(texts, decoded(loaded, texts), strict=True):
        assert answer.probs is not None
        for name, wanted in alone(loaded, text).items():
            assert answer.probs[name] == pytest.approx(wanted, abs=1e-4), name
            assert sum(answer.probs[name].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_probabilities_are_those_of_each_observation_alone(kind: str) -> None:
    loaded = make_loaded(kind, KNEE)
    assert max(len(prompt.tokens) for prompt in prompts_of(loaded, TEXTS)) > 2 * WINDOW
    assert_as_alone(loaded, TEXTS)


@pytest.mark.parametrize("kind", REFUSED)
def test_models_that_cannot_be_read_so_are_refused(kind: str) -> None:
    loaded = make_loaded(kind, KNEE)
    with pytest.raises(CheckpointError, match=r"cannot be read in packs.*--decode free"):
        OnePass(loaded, OPTIONS)


def test_words_that_begin_alike_in_single_letters() -> None:
    """``no``, ``nop``, ``nope``: what follows the word in the line decides."""
    loaded = make_loaded("llama", TANGLED, letter_tokenizer())
    assert_as_alone(loaded, ["Clear.", "A tear."])


words = st.text("ab", min_size=1, max_size=4)


@st.composite
def label_sets(draw: st.DrawFn) -> LabelSet:
    """Words and keys of few letters: many begin alike, many are parts of one another."""
    chosen = draw(st.lists(words, min_size=4, max_size=4, unique=True))
    names = draw(
        st.lists(st.text("xy", min_size=1, max_size=3), min_size=1, max_size=4, unique=True)
    )
    kinds = st.sampled_from(
        [
            ["positive", "blank"],
            ["positive", "uncertain", "blank"],
            ["positive", "negative", "uncertain", "blank"],
        ]
    )
    return make_label_set(
        [{"name": name, "certainties": draw(kinds)} for name in names],
        words=dict(zip(["positive", "negative", "uncertain", "blank"], chosen, strict=True)),
    )


@settings(max_examples=25, deadline=None)
@given(label_set=label_sets())
def test_any_words_and_keys(label_set: LabelSet) -> None:
    loaded = make_loaded("qwen2, grouped heads", label_set, letter_tokenizer())
    assert_as_alone(loaded, ["Tear?", "2 cysts"])


def test_an_observation_that_can_be_one_thing_only() -> None:
    """No file can say so, but where it is so, its probability is 1 and nothing is asked."""
    labels = list(KNEE.labels)
    labels[2] = replace(labels[2], certainties=(B,))
    loaded = make_loaded("llama", replace(KNEE, labels=tuple(labels), text="one fixed label"))
    (answer,) = decoded(loaded, ["Clear."])
    assert answer.probs is not None
    assert answer.probs["Bone Bruise"] == {"blank": 1.0}
    assert answer.value["Bone Bruise"] is B
    assert_as_alone(loaded, ["Clear."])


def test_labels_are_the_likeliest_that_obey_and_notes_name_what_gave_way() -> None:
    loaded = make_loaded("qwen2, grouped heads", KNEE)
    gave_way = 0
    for answer in decoded(loaded, [f"{text} {n}" for text in REPORTS for n in range(8)]):
        assert answer.probs is not None
        likeliest = {n: max(p, key=lambda c: p[c]) for n, p in answer.probs.items()}
        changed = [n for n in KNEE.names if likeliest[n] != answer.value[n]]
        assert not KNEE.contradictions(answer.value)
        assert answer.notes == tuple(f"rule: {name}" for name in changed)
        assert answer.problems == ()
        assert answer.raw == render(KNEE, {n: c for n, c in answer.value.items() if c})
        gave_way += bool(changed)
    assert gave_way >= 5


def test_prompts_that_do_not_share_the_beginning_are_read_whole() -> None:
    """As where the instruction's last token would be another one before this report."""
    loaded = make_loaded("mistral, window", KNEE)
    one_pass = OnePass(loaded, OPTIONS)
    prompts = prompts_of(loaded, TEXTS)
    strange = [replace(p, tokens=(p.tokens[3], *p.tokens)) for p in prompts]
    mixed = one_pass.decode([*prompts, *strange])
    assert [a.probs for a in mixed[:4]] == [
        {n: pytest.approx(p, abs=1e-4) for n, p in alone(loaded, text).items()} for text in TEXTS
    ]
    for prompt, answer in zip(strange, mixed[4:], strict=True):
        assert answer.probs is not None
        name, prefix, options, follow = option_tokens(loaded)[0]
        wanted = every_probability(loaded, [*prompt.tokens, *prefix], options, follow)
        found = {c: answer.probs[name][c.value] for c in (P, N, U, B)}
        assert found == pytest.approx(wanted, abs=1e-4)


BEGINNINGS = [
    "\nClear.",
    "  Clear.",
    "\n\n\n1. Clear",
    "12 mm tear",
    "\t?",
    "<|im_end|>\nMT positive",
]


@pytest.mark.parametrize("kind", ["letters", "words"])
def test_however_a_report_begins_it_is_read_as_without_sharing(kind: str) -> None:
    """White space and digits may melt into the template's tokens, special tokens are broken up."""
    tokenizer = letter_tokenizer() if kind == "letters" else None
    assert_as_alone(make_loaded("qwen2", KNEE, tokenizer), BEGINNINGS)


def test_a_tokenizer_that_joins_neighbours_is_refused() -> None:
    loaded = make_loaded("llama", KNEE, merging_tokenizer())
    with pytest.raises(CheckpointError, match=r"joins neighbouring parts.*--decode free") as caught:
        OnePass(loaded, OPTIONS)
    assert "\n" not in caught.value.line()


def test_what_is_said_of_it_is_json() -> None:
    one_pass = OnePass(make_loaded("llama", KNEE), OPTIONS)
    assert json.loads(json.dumps(one_pass.describe()))["mode"] == "one-pass"
    assert one_pass.room == 2
    assert one_pass.decode([]) == []
