"""The tagger's heads, losses, scores and thresholds, against the formulas and other packages."""

from __future__ import annotations

from itertools import pairwise, product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from tagger_tools import label_set
from torch import nn

from baselines.tagger.data import EncodingCounts, Rows, class_weights
from baselines.tagger.scores import CANDIDATES, Scored, f1_scores, mentions, tune
from baselines.tagger.tags import Tagging
from baselines.tagger.token_classifier import TokenClassifier, WordPadding
from baselines.tagger.words import Window, find_words
from labelwright.records import Entity

TEXT = "a b c d e f g h"
SPANS = find_words(TEXT)


class Lookup(nn.Module):
    """An encoder whose hidden states are looked up: what stands at each token is known."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(hidden_size=6)
        self.states = nn.Embedding(10, 6)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.states(input_ids))


def model(head: str, tags: int) -> TokenClassifier:
    torch.manual_seed(0)
    made = TokenClassifier(Lookup(), tags, head=head, dropout=0.5).eval()
    if made.field is not None:
        nn.init.normal_(made.field.transitions)
    return made


ROWS = [
    {"input_ids": np.array([1, 4, 5, 2]), "firsts": np.array([1, 2]), "rows": 7},
    {"input_ids": np.array([1, 6, 7, 8, 9, 2]), "firsts": np.array([1, 3, 4]), "rows": 8},
]
NUMBERS = [np.array([0, 2], dtype=np.uint16), np.array([1, 0, 3], dtype=np.uint16)]


def batch(labels: list[np.ndarray]) -> dict[str, torch.Tensor]:
    return WordPadding(0)([{**row, "labels": y} for row, y in zip(ROWS, labels, strict=True)])


def test_batches_are_padded_at_the_end() -> None:
    made = batch(NUMBERS)
    assert made["input_ids"].tolist() == [[1, 4, 5, 2, 0, 0], [1, 6, 7, 8, 9, 2]]
    assert made["attention_mask"].tolist() == [[1, 1, 1, 1, 0, 0], [1] * 6]
    assert made["firsts"].tolist() == [[1, 2, -1], [1, 3, 4]]
    assert made["labels"].tolist() == [[0, 2, -100], [1, 0, 3]]
    assert made["rows"].tolist() == [7, 8]


def test_softmax_loss_is_the_weighted_cross_entropy_of_the_first_tokens() -> None:
    """By hand: tokens 4 5 | 6 8 9 with tags 0 2 | 1 0 3; the weighted mean of -log p."""
    made, weights = model("softmax", 4), [1.0, 2.0, 3.0, 0.5]
    made.weigh(weights)
    with torch.inference_mode():
        loss = float(made(**batch(NUMBERS))["loss"])
        chance = torch.log_softmax(made.scores(made.encoder.states.weight), dim=-1)
    picked = [(4, 0), (5, 2), (6, 1), (8, 0), (9, 3)]
    total = sum(-float(chance[token, tag]) * weights[tag] for token, tag in picked)
    assert loss == pytest.approx(total / sum(weights[tag] for _, tag in picked), rel=1e-5)


def test_several_tags_have_a_cross_entropy_each() -> None:
    """By hand: -w y log p - (1 - y) log(1 - p), the mean over five words and two tags."""
    made, weights = model("multilabel", 2), [3.0, 0.5]
    made.weigh(weights)
    gold = [np.array([[1, 0], [1, 1]]), np.array([[0, 0], [0, 1], [1, 0]])]
    with torch.inference_mode():
        loss = float(made(**batch(gold))["loss"])
        chance = torch.sigmoid(made.scores(made.encoder.states.weight)).double()
    total = 0.0
    for token, tags in zip((4, 5, 6, 8, 9), np.concatenate(gold).tolist(), strict=True):
        for place, wanted in enumerate(tags):
            p = float(chance[token, place])
            total -= weights[place] * np.log(p) if wanted else np.log(1 - p)
    assert loss == pytest.approx(total / 10, rel=1e-5)


@torch.no_grad()
def all_paths(made: TokenClassifier, scores: torch.Tensor) -> dict[tuple[int, ...], float]:
    """The score of every path, from the random field's own weights."""
    field = made.field
    assert field is not None
    found = {}
    for path in product(range(scores.shape[1]), repeat=len(scores)):
        total = float(field.start_transitions[path[0]] + field.end_transitions[path[-1]])
        total += sum(float(scores[n, tag]) for n, tag in enumerate(path))
        total += sum(float(field.transitions[a, b]) for a, b in pairwise(path))
        found[path] = total
    return found


def test_the_random_field_against_all_paths() -> None:
    """Loss, best path and marginals from the sum over all 3^5 paths."""
    made = model("crf", 3)
    scores = torch.randn(5, 3)
    paths = all_paths(made, scores)
    values = np.array(list(paths.values()))
    chances = dict(zip(paths, np.exp(values - np.logaddexp.reduce(values)), strict=True))
    [(best, marginals)] = made.chances([scores.numpy()])
    assert tuple(best.tolist()) == max(paths, key=lambda path: paths[path])
    for word in range(5):
        for tag in range(3):
            exact = sum(p for path, p in chances.items() if path[word] == tag)
            assert marginals[word, tag] == pytest.approx(exact, abs=1e-5)
    with torch.inference_mode():
        out = made(**batch([np.array([0, 2]), np.array([1, 0, 1])]))
    expected = 0.0
    for logits, path in ((out["logits"][0][:2], (0, 2)), (out["logits"][1], (1, 0, 1))):
        each = all_paths(made, logits)
        expected += np.logaddexp.reduce(list(each.values())) - each[path]
    assert float(out["loss"]) == pytest.approx(expected / 5, rel=1e-4)


def test_the_random_field_by_hand() -> None:
    """Two words, two tags. Start (1, 0), end (0, 1), from 0 to 1 and back 1 and -1, else 0; words
    (0, 1) and (2, 0). Paths 00: 1 + 0 + 0 + 2 + 0 = 3; 01: 1 + 0 + 1 + 0 + 1 = 3; 10: 0 + 1 - 1 + 2
    + 0 = 2; 11: 0 + 1 + 0 + 0 + 1 = 2. So Z = 2 e³ + 2 e² and 01 costs ln Z - 3 = ln(2 + 2/e); the
    mean over its two words is half of that. Tag 0 of the first word has e³ / (e³ + e²), of the
    second one half.
    """
    made = model("crf", 2)
    assert made.field is not None
    with torch.no_grad():
        made.field.start_transitions.copy_(torch.tensor([1.0, 0.0]))
        made.field.end_transitions.copy_(torch.tensor([0.0, 1.0]))
        made.field.transitions.copy_(torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))
        words = torch.tensor([[[0.0, 1.0], [2.0, 0.0]]])
        there = torch.ones(1, 2, dtype=torch.bool)
        loss = made._loss(words, torch.tensor([[0, 1]]), there, None)
    assert float(loss) == pytest.approx(np.log(2 + 2 / np.e) / 2, abs=1e-6)
    [(best, sure)] = made.chances([words[0].numpy()])
    assert best[0] == 0
    first = np.e / (np.e + 1)
    assert sure.tolist() == [pytest.approx([first, 1 - first]), pytest.approx([0.5, 0.5])]


def test_texts_pass_the_random_field_together_and_long_ones_in_chains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("baselines.tagger.token_classifier.CHAIN", 4)
    monkeypatch.setattr("baselines.tagger.token_classifier.CHAINS", 2)
    made, rng = model("crf", 3), np.random.default_rng(0)
    texts = [rng.normal(size=(size, 3)) for size in (3, 9, 0, 1)]
    together = made.chances(texts)
    for logits, (best, sure) in zip(texts, together, strict=True):
        pieces = [logits[start : start + 4] for start in range(0, len(logits), 4)]
        parts = [made.chances([piece])[0] for piece in pieces]
        assert best.tolist() == [tag for part, _ in parts for tag in part.tolist()]
        marginals = np.concatenate([np.zeros((0, 3)), *(part for _, part in parts)])
        assert np.allclose(sure, marginals, atol=1e-6)
    quick = made.chances(texts, exact=False)
    for (best, _), (path, alone), logits in zip(together, quick, texts, strict=True):
        assert path.tolist() == best.tolist()
        assert alone == pytest.approx(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


def test_weights_of_rare_classes() -> None:
    """(N - n) / n of ten reports: 9 / 1 for one that holds Lesion, 2 / 8 for eight with Site."""
    counts = EncodingCounts(512, reports=10)
    counts.with_class.update({0: 1, 1: 8})
    one, several = Tagging(label_set(), "BIO", False), Tagging(label_set(), "IO", True)
    assert class_weights(counts, one, "none") is None
    assert class_weights(counts, one, "plain") == [1, 9, 9, 0.25, 0.25]
    assert class_weights(counts, several, "plain") == [9, 0.25]
    assert class_weights(counts, several, "clamped") == [9, 1]
    assert class_weights(EncodingCounts(512, reports=3), several, "plain") == [1, 1]


def test_weights_of_windows_that_hold_a_type() -> None:
    """Of five windows of two words one has the first type: (5 - 1) / 1; four the second: 1 / 4."""
    rows = Rows(asked=[np.array([1, 2]), np.array([3, 4])])
    ids, firsts = np.arange(4, dtype=np.int32), np.array([1, 2], dtype=np.int32)
    for tags in ([1, 3], [3, 0], [0, 4], [3, 4], [0, 0]):
        window = Window(ids, firsts, 0, (0, 2))
        rows.add(len(rows), window, np.array(tags, dtype=np.uint16))
    assert rows.question_weights("plain") == [4, 0.25]
    assert rows.question_weights("clamped") == [4, 1]
    assert rows.question_weights("none") is None


def of(kind: str, first: int, last: int) -> Entity:
    return Entity.of(TEXT, kind, (int(SPANS[first, 0]), int(SPANS[last, 1])))


CELLS = st.tuples(st.sampled_from(["Lesion", "Site"]), st.integers(0, 7), st.integers(0, 7))
NOTES = st.lists(
    st.tuples(st.sets(CELLS, max_size=5), st.sets(CELLS, max_size=5)), min_size=1, max_size=4
)


@given(NOTES)
@settings(max_examples=40, deadline=None)
def test_scores_are_those_of_scikit_learn(
    notes: list[tuple[set[tuple[str, int, int]], ...]],
) -> None:
    """Every place that either side names is one cell, right or wrong."""
    sides = [
        [[of(kind, min(a, b), max(a, b)) for kind, a, b in side] for side in both] for both in notes
    ]
    found = f1_scores(
        [a for a, _ in sides], [b for _, b in sides], Tagging(label_set(), "BIO", False)
    )
    cells = [
        (kind, key in {(e.type, e.spans) for e in b}, key in {(e.type, e.spans) for e in a})
        for a, b in sides
        for key in {(e.type, e.spans) for e in (*a, *b)}
        for kind in key[:1]
    ]
    gold, said = [wanted for _, wanted, _ in cells], [given for _, _, given in cells]
    expected = f1_score(gold, said, zero_division=0) if cells else 0
    assert found["micro_f1"] == pytest.approx(expected)
    each = [
        f1_score(
            [wanted for name, wanted, _ in cells if name == kind],
            [given for name, _, given in cells if name == kind],
            zero_division=0,
        )
        for kind in ("Lesion", "Site")
        if any(wanted for name, wanted, _ in cells if name == kind)
    ]
    assert found["macro_f1"] == pytest.approx(np.mean(each) if each else 0)


def scored(*rows: tuple[float, float]) -> Scored:
    chances = np.array(rows, dtype=np.float32)
    return Scored(TEXT, SPANS[: len(rows)], chances.argmax(axis=1), chances)


def test_thresholds_that_give_the_best_scores() -> None:
    """Lesion is right at .6 and wrong at .35; Site is right at .3 and 0.2, and never wrong."""
    tagging = Tagging(label_set(), "IO", True)
    texts = [scored((0.6, 0.0), (0.0, 0.3), (0.35, 0.0), (0.0, 0.2))]
    gold = [[of("Lesion", 0, 0), of("Site", 1, 1), of("Site", 3, 3)]]
    assert tune(tagging, texts, gold, way="0.5").tolist() == [0.5, 0.5]
    own = tune(tagging, texts, gold, way="per-label")
    assert own.tolist() == [0.5, 0.2]
    found = tagging.entities(TEXT, texts[0].spans, mentions(tagging, texts[0], own))
    assert f1_scores([found], gold, tagging)["micro_f1"] == 1
    shared = tune(tagging, texts, gold, way="shared")
    assert shared.tolist() == [0.2, 0.2]  # all but one of four right: F1 6/7; 0.4 gives 1/3 recall


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_no_other_threshold_is_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tagging = Tagging(label_set(), "BIO", True)
    texts = [
        Scored(TEXT, SPANS, np.zeros(8, dtype=np.int64), rng.random((8, 4)).astype(np.float32))
        for _ in range(3)
    ]
    gold = [
        list(
            {
                e.spans: e for e in (of("Lesion", 0, 1), of("Site", *sorted(rng.integers(0, 8, 2))))
            }.values()
        )
        for _ in texts
    ]

    def score(thresholds: np.ndarray) -> float:
        said = [
            tagging.entities(TEXT, one.spans, mentions(tagging, one, thresholds)) for one in texts
        ]
        return f1_scores(said, gold, tagging)["micro_f1"]

    best = score(tune(tagging, texts, gold, way="shared"))
    assert best == pytest.approx(max(score(np.full(2, value)) for value in CANDIDATES))
