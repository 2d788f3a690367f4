"""Training rows with branches: what sees what, the loss by hand, and what labeling then reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from conftest import REPORTS
from decoding_tools import (
    KNEE,
    TANGLED,
    WINDOW,
    B,
    N,
    P,
    U,
    letter_tokenizer,
    make_loaded,
    merging_tokenizer,
    prompts_of,
    word_tokenizer,
)

from inference.decode.decoder import DecodeOptions
from inference.decode.one_pass import OnePass
from inference.load import Loaded
from labelwright.errors import CheckpointError
from labelwright.label_set import LabelSet
from labelwright.prompt import messages
from labelwright.records import Certainty
from labelwright.tasks.certainty.answer import choices, render
from labelwright.tasks.choices import AnswerTokens
from sft.branches import BranchCollator, BranchLoss, right_and_all
from sft.data import Record
from sft.encode import Encoded, Encoder, Lengths, to_dataset

IGNORED = -100
SAID = {
    KNEE: [[P, N, B, N, B], [U, B, P, B, B], [B, B, B, B, P], [N, N, B, P, B]],
    TANGLED: [[P, N, B], [N, U, P], [U, P, B], [B, B, B]],
}
TEXTS = ["Clear.", REPORTS[0], f"{REPORTS[1]} {REPORTS[2]}", "Tear?"]


def records(label_set: LabelSet) -> list[Record]:
    found = []
    for number, (text, said) in enumerate(zip(TEXTS, SAID[label_set], strict=True)):
        labels = dict(zip(label_set.names, said, strict=True))
        system = messages(label_set, text)[0]["content"]
        found.append(Record(f"r{number}", system, text, render(label_set, labels)))
    return found


def encoded(loaded: Loaded, layout: str, limit: int = 1024) -> tuple[Encoder, list[Encoded]]:
    encoder = Encoder(
        loaded.tokenizer, limit=limit, on_long="error", label_set=loaded.label_set, layout=layout
    )
    items = list(encoder.encode(records(loaded.label_set), Lengths(limit)))
    return encoder, items


def answers_of(encoder: Encoder) -> AnswerTokens:
    assert encoder.answers is not None
    return encoder.answers


def batch_of(loaded: Loaded, layout: str = "both") -> tuple[AnswerTokens, dict[str, Any]]:
    encoder, items = encoded(loaded, layout)
    answers = answers_of(encoder)
    return answers, BranchCollator(answers.tree, 0)(list(to_dataset(items)))


SMALL = [("words", KNEE), ("letters", TANGLED)]


def made(kind: str, tokens: str, label_set: LabelSet) -> Loaded:
    tokenizer = letter_tokenizer() if tokens == "letters" else word_tokenizer(label_set)
    return make_loaded(kind, label_set, tokenizer)


def logits_of(loaded: Loaded, batch: dict[str, Any]) -> torch.Tensor:
    model: Any = loaded.model
    given = {name: value for name, value in batch.items() if name != "labels"}
    with torch.inference_mode():
        found: torch.Tensor = model(**given, use_cache=False).logits
    return found


@pytest.mark.parametrize(("tokens", "label_set"), SMALL, ids=["words", "letters"])
@pytest.mark.parametrize("kind", ["llama", "qwen2, grouped heads", "qwen3"])
@pytest.mark.parametrize("layout", ["both", "branches"])
def test_training_sees_what_one_pass_labeling_reads(
    kind: str, tokens: str, label_set: LabelSet, layout: str
) -> None:
    """The probabilities at the decisions, from a padded training batch and from labeling."""
    loaded = made(kind, tokens, label_set)
    answers, batch = batch_of(loaded, layout)
    width = batch["input_ids"].shape[1] - len(answers.tree.tokens)
    logits = logits_of(loaded, batch)
    labeled = OnePass(loaded, DecodeOptions(8, 4096)).decode(prompts_of(loaded, TEXTS))
    for row, answer in enumerate(labeled):
        assert answer.probs is not None
        for slot, start in zip(answers.slots, answers.tree.starts, strict=True):
            for certainty, path in slot.paths.items():
                wanted = 1.0
                for choice, pick in path:
                    decision = answers.tree.decisions[start + choice]
                    here = logits[row, width + decision.node, list(decision.tokens)]
                    wanted *= float(here.double().softmax(0)[pick])
                found = answer.probs[slot.label][certainty.value]
                assert found == pytest.approx(wanted, abs=1e-4)


def test_a_window_would_be_lost_so_long_rows_are_refused() -> None:
    """Rows as long as the window are read as in labeling; :mod:`sft.prepare` stops at longer."""
    from sft.prepare import _limit

    config = make_loaded("mistral, window", KNEE).model.config
    assert _limit(config, None, branches=True) == WINDOW
    assert _limit(config, None, branches=False) == 1024
    assert _limit(config, 10, branches=True) == 10
    config = make_loaded("qwen2", KNEE).model.config
    config.sliding_window = WINDOW  # noted but not used by any layer
    assert _limit(config, None, branches=True) == 1024


@pytest.mark.parametrize(("tokens", "label_set"), SMALL, ids=["words", "letters"])
def test_the_line_is_learned_as_if_there_were_no_branches(tokens: str, label_set: LabelSet) -> None:
    loaded = made("llama", tokens, label_set)
    answers, batch = batch_of(loaded)
    width = batch["input_ids"].shape[1] - len(answers.tree.tokens)
    logits = logits_of(loaded, batch)
    _, items = encoded(loaded, "line")
    model: Any = loaded.model
    for row, item in enumerate(items):
        with torch.inference_mode():
            alone = model(torch.tensor([item.tokens])).logits[0]
        size = len(item.tokens)
        assert torch.allclose(logits[row, :size], alone, atol=1e-4 * float(alone.abs().max()))
        assert batch["input_ids"][row, :size].tolist() == item.tokens
        assert batch["labels"][row, item.prompt : size].tolist() == item.tokens[item.prompt :]
        assert set(batch["labels"][row, : item.prompt].tolist()) == {IGNORED}
        assert set(batch["labels"][row, size:width].tolist()) <= {IGNORED}


def test_rows_of_the_mask_by_hand() -> None:
    """One record, 4 tokens of prompt, 3 of line; two observations of two and three tokens."""
    collate = BranchCollator(tree_by_hand().tree, pad=9)
    row = {
        "input_ids": [1, 2, 3, 4, 5, 6, 7],
        "labels": [-100] * 4 + [5, 6, 7],
        "prompt": 4,
        "branches": [50, 51, -100],
    }
    short = {
        "input_ids": [1, 2, 3],
        "labels": [-100, -100, 3],
        "prompt": 2,
        "branches": [40, 61, 71],
    }
    batch = collate([row, short])
    tree = tree_by_hand().tree
    assert tree.tokens == (20, 30, 60)
    assert batch["input_ids"].tolist() == [
        [1, 2, 3, 4, 5, 6, 7, 20, 30, 60],
        [1, 2, 3, 9, 9, 9, 9, 20, 30, 60],
    ]
    assert batch["position_ids"].tolist() == [
        [0, 1, 2, 3, 4, 5, 6, 4, 4, 5],
        [0, 1, 2, 0, 0, 0, 0, 2, 2, 3],
    ]
    assert batch["labels"].tolist() == [
        [-100, -100, -100, -100, 5, 6, 7, 50, 51, -100],
        [-100, -100, 3, -100, -100, -100, -100, 40, 61, 71],
    ]
    seen = [["".join("x" if there else "." for there in line) for line in m[0]] for m in
            batch["attention_mask"].tolist()]  # fmt: skip
    assert seen[0] == [
        "x.........",
        "xx........",
        "xxx.......",
        "xxxx......",
        "xxxxx.....",
        "xxxxxx....",
        "xxxxxxx...",
        "xxxx...x..",
        "xxxx....x.",
        "xxxx....xx",
    ]
    assert seen[1] == [
        "x.........",
        "xx........",
        "xxx.......",
        "...x......",
        "....x.....",
        ".....x....",
        "......x...",
        "xx.....x..",
        "xx......x.",
        "xx......xx",
    ]


def tree_by_hand() -> AnswerTokens:
    """Key 20 with words 40 or 50; key 30 with words 51, or 61 after 60, or 71 after 60."""
    words = {"a": [20], " yes": [40], " no": [50], ", b": [30], "b": [30], " b": [30]}
    words |= {" maybe": [60, 61], " may": [60, 71], " not": [51], ".": [80]}

    def encode(text: str) -> list[int]:
        if text in words:
            return words[text]
        found, rest = [], text
        while rest:
            key = max((word for word in words if rest.startswith(word)), key=len)
            found += words[key]
            rest = rest[len(key) :]
        return found

    labels = (
        replace(KNEE.labels[0], name="A", key="a", certainties=(P, B)),
        replace(KNEE.labels[1], name="Bb", key="b", certainties=(P, N, U)),
    )
    slots_of = replace(KNEE, labels=labels, exclusive=(), text="by hand")
    first = replace(slots_of, words={P: "yes", B: "no", N: "x", U: "y"})
    second = replace(slots_of, words={P: "not", N: "maybe", U: "may", B: "z"})
    whole = AnswerTokens.of(choices(replace(first, labels=labels[:1], text="first")), encode)
    other = AnswerTokens.of(choices(replace(second, labels=labels[1:], text="second")), encode)
    return AnswerTokens((*whole.slots, *other.slots), whole.end)


def cross_entropy(logits: Sequence[float], right: int) -> float:
    highest = max(logits)
    total = sum(math.exp(value - highest) for value in logits)
    return highest + math.log(total) - logits[right]


@pytest.mark.parametrize(("tokens", "label_set"), SMALL, ids=["words", "letters"])
@pytest.mark.parametrize("layout", ["both", "branches"])
def test_the_loss_by_hand(tokens: str, label_set: LabelSet, layout: str) -> None:
    """Over the vocabulary for the line and its end, over the options for the branches."""
    loaded = made("llama", tokens, label_set)
    answers, batch = batch_of(loaded, layout)
    width = batch["input_ids"].shape[1] - len(answers.tree.tokens)
    logits = logits_of(loaded, batch)
    _, items = encoded(loaded, "line")
    wanted, line_tokens, due, right = 0.0, 0, 0, 0
    for row, (item, said) in enumerate(zip(items, SAID[label_set], strict=True)):
        if layout == "both":
            for place in range(item.prompt, len(item.tokens)):
                wanted += cross_entropy(logits[row, place - 1].tolist(), item.tokens[place])
                line_tokens += 1
        for slot, start, certainty in zip(answers.slots, answers.tree.starts, said, strict=True):
            for choice, pick in slot.paths[certainty]:
                decision = answers.tree.decisions[start + choice]
                here = logits[row, width + decision.node, list(decision.tokens)].tolist()
                wanted += cross_entropy(here, pick)
                due += 1
                right += here.index(max(here)) == pick
    loss = BranchLoss(answers.tree)
    kept = loss.kept(batch["labels"])
    found, guesses = loss(logits[:, kept], batch["labels"], kept)
    counts = right_and_all(guesses)
    assert float(found) == pytest.approx(wanted, rel=1e-5)
    assert counts.tolist()[1:] == [line_tokens, right, due]
    assert int((batch["labels"] != IGNORED).sum()) == line_tokens + due


def test_counts_and_lengths_include_the_branches() -> None:
    loaded = made("llama", "words", KNEE)
    _, line = encoded(loaded, "line")
    encoder, both = encoded(loaded, "both")
    tree = answers_of(encoder).tree
    lengths = Lengths(1024)
    list(encoder.encode(records(KNEE), lengths))
    assert lengths.tokens == sum(len(i.tokens) for i in line) + len(line) * len(tree.tokens)
    answered = sum(len(i.tokens) - i.prompt for i in line)
    assert lengths.loss_tokens == answered + len(line) * len(KNEE.labels)
    assert lengths.longest[0] == max(len(i.tokens) for i in both) + len(tree.tokens)
    limit = lengths.longest[0] - 1
    tight = Encoder(loaded.tokenizer, limit=limit, on_long="drop", label_set=KNEE, layout="both")
    counted = Lengths(limit)
    assert len(list(tight.encode(records(KNEE), counted))) == 3
    assert counted.dropped == 1


def test_branch_rows_alone_hold_no_answer_line() -> None:
    loaded = made("llama", "words", KNEE)
    _, items = encoded(loaded, "branches")
    for item, prompt in zip(items, prompts_of(loaded, TEXTS), strict=True):
        assert tuple(item.tokens) == prompt.tokens
        assert item.prompt == len(item.tokens)


def test_a_tokenizer_that_joins_neighbours_is_refused_for_branches_only() -> None:
    tokenizer = merging_tokenizer()
    for layout in ("both", "branches"):
        with pytest.raises(CheckpointError, match="train with --layout line"):
            Encoder(tokenizer, limit=99, on_long="error", label_set=KNEE, layout=layout)
    assert (
        Encoder(tokenizer, limit=99, on_long="error", label_set=KNEE, layout="line").answers is None
    )


LABELS = dict(zip(KNEE.names, SAID[KNEE][0], strict=True))


def test_targets_are_the_words_of_the_answer() -> None:
    loaded = made("llama", "words", KNEE)
    encoder, items = encoded(loaded, "both")
    words = [loaded.tokenizer.decode([token]) for token in items[0].branches]
    assert words == [f" {certainty.value}" for certainty in LABELS.values()]
    assert all(isinstance(certainty, Certainty) for certainty in LABELS.values())
    assert len(answers_of(encoder).tree.decisions) == len(words)
