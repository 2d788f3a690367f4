from __future__ import annotations

import random
from typing import Any

import pytest
from decoding_tools import letter_tokenizer, make_loaded
from entity_tools import PLAIN, SURE, made
from hypothesis import given
from hypothesis import strategies as st

from inference.decode.decoder import DecodeOptions
from inference.decode.guided import Guided, token_bytes
from inference.decode.part_reader import Said
from inference.engine import ModelAsker
from labelwright.errors import CheckpointError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.tasks.entities.answer import parse
from labelwright.tasks.entities.guide import MentionGuide, State

NOTE = "Fever and  cough; no fever today. Ödem der Füße (beidseits)."


def accepted(label_set: LabelSet, text: str, answer: str) -> bool:
    answers = MentionGuide(label_set, text)
    state = answers.advance(State(), answer.encode())
    return state is not None and answers.may_end(state)


@pytest.mark.parametrize(
    "answer",
    [
        "none",
        "Disease: Fever",
        "Disease: Fever and cough",
        "Disease: Fever\nDisease: cough\nDisease: fever",
        "Disease: fever",
        "Drug: Ödem\nDisease: Füße (beidseits)",
        "Disease: (beidseits).",
    ],
)
def test_answers_that_the_text_holds(answer: str) -> None:
    assert accepted(PLAIN, NOTE, answer)
    parsed = parse(PLAIN, answer, NOTE, ended=True)
    assert not parsed.problems
    assert not [note for note in parsed.notes if note != "written otherwise"]


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "non",
        "none\nDisease: Fever",
        "Disease: Fever\nnone",
        "Disease: ",
        "Disease: \n",
        "Disease: ever",
        "Disease: Feve",
        "Disease: Fever\n",
        "Disease: Fever \n",
        "Disease:Fever",
        "disease: Fever",
        "Place: Fever",
        "Disease: asthma",
        "Disease: fever\nDisease: cough",
        "Disease: Fever\nDisease: Fever",
        "Disease: Fever\n\nDisease: cough",
        "Disease: Fuße",
    ],
)
def test_answers_that_are_not_to_be_written(answer: str) -> None:
    assert not accepted(PLAIN, NOTE, answer)


def test_certainties_stand_behind_the_type() -> None:
    assert accepted(SURE, NOTE, "Disease present: Fever\nDisease negated: fever")
    assert not accepted(SURE, NOTE, "Disease: Fever")
    assert not accepted(SURE, NOTE, "Disease perhaps: Fever")


def test_nested_mentions_only_where_the_label_set_allows_them() -> None:
    answer = "Disease: Fever and cough\nDisease: cough"
    assert not accepted(PLAIN, NOTE, answer)
    assert accepted(made(nesting=True), NOTE, answer)


WORDS = st.sampled_from(["a", "ab", "b", "ä", "日本", "x-y", "(q)", "1.5", "é", "  ", "\n"])


@given(st.lists(WORDS, min_size=1, max_size=12), st.integers(0, 2**32), st.booleans())
def test_any_walk_is_read_back_without_a_problem(
    words: list[str], seed: int, nesting: bool
) -> None:
    """Bytes drawn at random among the valid ones always make an answer that is all in the text."""
    text = " ".join(words)
    label_set = made(nesting=nesting)
    answers = MentionGuide(label_set, text)
    draw = random.Random(seed)
    state, written = State(), b""
    for _ in range(2_000):
        valid = [b for b in range(256) if answers.advance(state, bytes([b])) is not None]
        if answers.may_end(state) and (not valid or draw.random() < 0.2):
            break
        if not valid:  # every overlapping mention is used up
            assert nesting
            return
        byte = bytes([draw.choice(valid)])
        after = answers.advance(state, byte)
        assert after is not None
        state, written = after, written + byte
    else:
        pytest.fail("no end")
    parsed = parse(label_set, written.decode(), text, ended=True)
    assert not [p for p in parsed.problems if not p.startswith("not in the text") or not nesting]
    if not nesting:
        assert all(entity.spans for entity in parsed.value or ())


@pytest.fixture(scope="module")
def random_model() -> Any:
    """Random weights and a token per byte: what it says freely is nonsense."""
    return make_loaded("qwen2", PLAIN, tokenizer=letter_tokenizer())


def test_even_a_random_model_answers_validly(random_model: Any) -> None:
    guide = Guided(random_model)
    asker = ModelAsker(random_model, DecodeOptions(batch_size=3, batch_tokens=64), guide)
    texts = [NOTE, "Cough.", "日本 fever"]
    for text, said in zip(texts, asker.ask([Ask(text) for text in texts]), strict=True):
        assert isinstance(said, Said)
        parsed = parse(PLAIN, said.raw, text, ended=said.ended)
        assert all(entity.spans for entity in parsed.value or ())
        assert set(parsed.problems) <= {"cut off"}


def test_a_tokenizer_that_lacks_bytes_cannot_be_constrained() -> None:
    words = make_loaded("qwen2", PLAIN, tokenizer=few_words())
    with pytest.raises(CheckpointError, match="--decode free"):
        Guided(words)


def few_words() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"<pad>": 0, "<end>": 1, "Disease": 2}, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<end>")


def test_tokens_are_bytes_in_both_kinds_of_tokenizers() -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = token_bytes(letter_tokenizer())
    assert sorted(letters.values()) == [bytes([b]) for b in range(256)]
    vocab = {"<unk>": 0, "<end>": 1, "▁fever": 2, "é": 3, "<0xC3>": 4, "<0x0A>": 5}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[], byte_fallback=True, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.Metaspace(), decoders.ByteFallback()])
    made_of = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", eos_token="<end>"
    )
    assert token_bytes(made_of) == {2: b" fever", 3: "é".encode(), 4: b"\xc3", 5: b"\n"}
