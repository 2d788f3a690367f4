"""R-Drop, smoothing, shares, sections and the question of a window, by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from baselines.tagger.choices import BIAS, EMBEDDING, HEADS
from baselines.tagger.sections import dropped
from baselines.tagger.token_classifier import (
    Objective,
    SectionFusion,
    TokenClassifier,
    WordPadding,
    consistency,
    word_loss,
)


def logs(rows: list[list[float]]) -> torch.Tensor:
    return torch.tensor(rows).log()


def test_r_drop_is_the_mean_of_both_divergences_over_words() -> None:
    """P (.5, .5), Q (.25, .75): KL(P|Q) = .5 ln 2 + .5 ln 2/3 = .143841 and KL(Q|P) =
    .25 ln .5 + .75 ln 1.5 = .130812, half of both .137327. P (.9, .1), Q (.6, .4): .226289 and
    .311239, half .268764. Mean .203045; without the halves it would be .406090.
    """
    first, second = logs([[0.5, 0.5], [0.9, 0.1]]), logs([[0.25, 0.75], [0.6, 0.4]])
    one = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    two = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    three = 0.9 * math.log(0.9 / 0.6) + 0.1 * math.log(0.1 / 0.4)
    four = 0.6 * math.log(0.6 / 0.9) + 0.4 * math.log(0.4 / 0.1)
    by_hand = (one + two + three + four) / 4
    assert by_hand == pytest.approx(0.2030452, abs=1e-6)
    found = consistency(first, second, multilabel=False)
    assert found.item() == pytest.approx(by_hand, abs=1e-6)
    assert consistency(first, first, multilabel=False).item() == 0


def test_r_drop_of_several_tags_a_word_is_bernoulli() -> None:
    """p = .8, q = .5: half of (.8 ln 1.6 + .2 ln .4) + (.5 ln .625 + .5 ln 2.5) = .207944."""
    first, second = torch.tensor([[0.8]]).logit(), torch.tensor([[0.5]]).logit()
    by_hand = 0.5 * (
        0.8 * math.log(1.6) + 0.2 * math.log(0.4) + 0.5 * math.log(0.625) + 0.5 * math.log(2.5)
    )
    assert by_hand == pytest.approx(0.2079442, abs=1e-6)
    assert consistency(first, second, multilabel=True).item() == pytest.approx(by_hand, abs=1e-6)


def test_the_whole_loss_of_two_passes() -> None:
    """Gold 0 and 0: ½ (CE of pass 1 + CE of pass 2) + 1 × R-Drop.

    CE 1 = -(ln .5 + ln .9) / 2 = .399254, CE 2 = -(ln .25 + ln .6) / 2 = .948560; together
    .673907 + .203045 = .876952. The model gives both passes in one batch, and its padding word,
    on which they differ most, counts in neither part.
    """
    ce = [-(math.log(a) + math.log(b)) / 2 for a, b in ((0.5, 0.9), (0.25, 0.6))]
    assert ce == [pytest.approx(0.3992538, abs=1e-6), pytest.approx(0.9485600, abs=1e-6)]
    model = TokenClassifier(Fixed(), 2, head="softmax", dropout=0.0)
    model.aim(Objective(r_drop=1.0))
    with torch.no_grad():
        model.scores.weight.copy_(torch.eye(2))
        model.scores.bias.zero_()
    batch = {
        "input_ids": torch.zeros(1, 3, dtype=torch.long),
        "attention_mask": torch.ones(1, 3, dtype=torch.long),
        "firsts": torch.tensor([[0, 1, -1]]),
        "labels": torch.tensor([[0, 0, -100]]),
    }
    loss = model.train()(**batch)["loss"].item()
    assert loss == pytest.approx(sum(ce) / 2 + 0.2030452, abs=1e-5)
    assert loss == pytest.approx(0.8769521, abs=1e-5)


class Fixed(nn.Module):
    """The log probabilities of the example; the second half of a batch is the second pass."""

    config = SimpleNamespace(hidden_size=2)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        passes = [
            logs([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5]]),
            logs([[0.25, 0.75], [0.6, 0.4], [0.01, 0.99]]),
        ]
        return SimpleNamespace(last_hidden_state=torch.stack(passes[: len(input_ids)]))


def test_smoothing() -> None:
    """Scores 2, 1, 0: -ln p = .407606, 1.407606, 2.407606, their mean 1.407606.

    .9 × .407606 + .1 × 1.407606 = .507606. Sharing among the wrong tags alone would be .557606.
    """
    logits, gold = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0])
    plain = math.log(math.e**2 + math.e + 1) - 2
    assert word_loss(logits, gold, multilabel=False).item() == pytest.approx(plain, abs=1e-6)
    found = word_loss(logits, gold, multilabel=False, smoothing=0.1).item()
    assert found == pytest.approx(0.9 * plain + 0.1 * (plain + 1), abs=1e-6)
    assert found == pytest.approx(0.5076060, abs=1e-6)


def test_the_question_of_a_window() -> None:
    """A score of .4 for what is there costs ln(1 + e^-.4) = .513015."""
    model = TokenClassifier(Fixed(), 2, head="softmax", dropout=0.0).train()
    model.aim(Objective(sentence=1.0), types=1)
    assert model.sentence is not None
    with torch.no_grad():
        model.sentence.weight.zero_()
        model.sentence.bias.fill_(0.4)
        asked = model._question(torch.zeros(1, 3, 2), torch.ones(1, 1))
    assert float(asked) == pytest.approx(math.log(1 + math.exp(-0.4)), abs=1e-6)
    assert float(asked) == pytest.approx(0.5130153, abs=1e-6)
    assert "sentence.weight" not in model.own_weights()
    model.weigh(None, [3.0])
    for held, times in ((torch.ones(1, 1), 3), (torch.zeros(1, 1), 1)):
        with torch.no_grad():
            weighed = model._question(torch.zeros(1, 3, 2), held)
        by_hand = math.log(1 + math.exp(-0.4 if held.any() else 0.4))
        assert float(weighed) == pytest.approx(times * by_hand, abs=1e-6)


@pytest.mark.parametrize("multilabel", [False, True])
def test_shares_scale_the_loss_of_their_words(multilabel: bool) -> None:
    """Two words of half a share cost half; mixed ones as much as each by itself, over both."""
    torch.manual_seed(3)
    logits = torch.randn(2, 3)
    labels = torch.tensor([[0, 1, 0], [1, 0, 0]]) if multilabel else torch.tensor([2, 0])
    each = [word_loss(logits[n : n + 1], labels[n : n + 1], multilabel=multilabel) for n in (0, 1)]
    mixed = word_loss(logits, labels, multilabel=multilabel, shares=torch.tensor([1.0, 0.5]))
    assert mixed.item() == pytest.approx((each[0] + 0.5 * each[1]).item() / 2, abs=1e-6)
    whole = word_loss(logits, labels, multilabel=multilabel)
    ones = word_loss(logits, labels, multilabel=multilabel, shares=torch.ones(2))
    assert ones.item() == pytest.approx(whole.item(), abs=1e-6)


def test_a_section_before_the_tags_is_a_number_added_to_their_scores() -> None:
    """W h + b = (1.1, -1, 0), the section adds (1, 0, 0): p = e^2.1 : e^-1 : e^0 by their sum."""
    fusion = SectionFusion(BIAS, 4, size=2, tags=3)
    with torch.no_grad():
        fusion.table.weight[2] = torch.tensor([1.0, 0.0, 0.0])
    without = torch.tensor([1.1, -1.0, 0.0])
    scores = without + fusion.scores(torch.tensor([[2]]))[0, 0]
    total = math.exp(2.1) + math.exp(-1) + 1
    by_hand = [math.exp(2.1) / total, math.exp(-1) / total, 1 / total]
    assert scores.softmax(-1).tolist() == pytest.approx(by_hand, abs=1e-6)
    assert by_hand == pytest.approx([0.8565269, 0.0385859, 0.1048872], abs=1e-6)
    assert torch.equal(without + fusion.scores(torch.tensor([[0]]))[0, 0], without)


class Embedded(nn.Module):
    """An encoder that takes ids or vectors, as transformers' do."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(hidden_size=6)
        self.words = nn.Embedding(10, 6)

    def get_input_embeddings(self) -> nn.Embedding:
        return self.words

    def forward(
        self,
        attention_mask: torch.Tensor,
        input_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
    ) -> SimpleNamespace:
        hidden = self.words(input_ids) if inputs_embeds is None else inputs_embeds
        return SimpleNamespace(last_hidden_state=hidden.tanh())


ROWS: list[dict[str, Any]] = [
    {"input_ids": np.array([1, 4, 5, 2]), "firsts": np.array([1, 2]), "rows": 0},
    {"input_ids": np.array([1, 6, 7, 2]), "firsts": np.array([1, 2]), "rows": 1},
]


@pytest.mark.parametrize("way", [EMBEDDING, BIAS])
@pytest.mark.parametrize("head", HEADS)
def test_sections_start_as_the_plain_tagger_bit_for_bit(way: str, head: str) -> None:
    """Whatever the sections are; and without vectors or biases they stay without effect."""
    torch.manual_seed(1)
    plain = TokenClassifier(Embedded(), 3, head=head, dropout=0.5).eval()
    fused = TokenClassifier(Embedded(), 3, head=head, dropout=0.5, sections=(way, 4)).eval()
    fused.load_state_dict(plain.state_dict(), strict=False)
    sections = np.array([0, 2, 3, 0], dtype=np.int16)
    told = WordPadding(0)([{**row, "sections": sections} for row in ROWS])
    assert told["sections"].tolist() == [[0, 2, 3, 0]] * 2
    before = plain(**WordPadding(0)(ROWS))["logits"]
    assert torch.equal(fused(**told)["logits"], before)
    assert fused.fusion is not None
    with torch.no_grad():
        if way == EMBEDDING:
            fused.fusion.mix.weight[:, 6:] = 1.0
            assert not torch.equal(fused(**told)["logits"], before)
        fused.fusion.table.weight.zero_()
    assert torch.equal(fused(**told)["logits"], before)


def test_hidden_sections_are_none_or_unseen() -> None:
    """About half of a thousand windows show one section, each way of hiding it half of the rest."""
    random = np.random.default_rng(0)
    seen = [int(dropped(np.array([3], dtype=np.int16), 0.5, random)[0]) for _ in range(1000)]
    assert {3: seen.count(3), 0: seen.count(0), 1: seen.count(1)} == {
        3: pytest.approx(500, abs=80),
        0: pytest.approx(250, abs=70),
        1: pytest.approx(250, abs=70),
    }
    whole = np.array([2, 2, 3, 3, 2], dtype=np.int16)
    assert (dropped(whole, 0.0, random) == whole).all()
    hidden = dropped(whole, 0.9, random)
    assert len(set(hidden[whole == 2])) == len(set(hidden[whole == 3])) == 1
