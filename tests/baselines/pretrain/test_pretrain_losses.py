"""Losses and masking of pre-training against numbers that a reader can work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from baselines.epochs import Draws
from baselines.pretrain.corpus import every_token, windows, words_of_entities
from baselines.pretrain.masking import ALL, BERT, IGNORED, Masker, contrastive_loss, masked_loss
from baselines.pretrain.model import PretrainModel
from baselines.tagger.words import Pieces


def test_masked_words_are_averaged_over_the_masked_ones_alone() -> None:
    """The first token is not masked.

    Scores (0, 1, 2, 0), target 2: ln(1 + e + e^2 + 1) - 2 = ln 12.107338 - 2 = 0.493812.
    Scores (1, 1, 0, 0), target 0: ln(2e + 2) - 1 = ln 7.436564 - 1 = 1.006409.
    Mean of the two 0.750110; dividing by all three tokens would give 0.500074.
    """
    logits = torch.tensor([[2.0, 0, 0, 0], [0, 1, 2, 0], [1, 1, 0, 0]])
    targets = torch.tensor([IGNORED, 2, 0])
    by_hand = (math.log(2 + math.e + math.e**2) - 2 + math.log(2 * math.e + 2) - 1) / 2
    assert by_hand == pytest.approx(0.7501103, abs=1e-6)
    assert masked_loss(logits, targets).item() == pytest.approx(by_hand, abs=1e-6)


def test_masked_words_of_entities() -> None:
    """Masked tokens 1 and 2 of four: (ln(e^2+2)-2 + ln(e^3+2)-3) / 2 = 0.167234.

    The mean over all four, unmasked ones included, would be 0.436977.
    """
    logits = torch.tensor([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [1, 1, 0]])
    targets = torch.tensor([IGNORED, 1, 2, IGNORED])
    by_hand = (math.log(math.e**2 + 2) - 2 + math.log(math.e**3 + 2) - 3) / 2
    assert by_hand == pytest.approx(0.1672339, abs=1e-6)
    assert masked_loss(logits, targets).item() == pytest.approx(by_hand, abs=1e-6)


def test_nothing_masked_is_no_loss_and_no_nan() -> None:
    logits = torch.ones(2, 3, requires_grad=True)
    loss = masked_loss(logits, torch.full((2,), IGNORED))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    vectors = torch.ones(1, 2, 3, requires_grad=True)
    nothing, all_of_them = torch.full((1, 2), -1), torch.ones(1, 2, dtype=torch.bool)
    assert contrastive_loss(vectors, vectors, nothing, all_of_them, temperature=1).item() == 0


STUDENT = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
TEACHER = [[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]]
POSITIVES = [-1, 1, 2]


def contrast(
    temperature: float,
    student: list[list[float]] = STUDENT,
    teacher: list[list[float]] = TEACHER,
    positives: list[int] = POSITIVES,
    candidates: tuple[bool, ...] = (True, True, True),
) -> float:
    return contrastive_loss(
        torch.tensor([student]),
        torch.tensor([teacher]),
        torch.tensor([positives]),
        torch.tensor([candidates]),
        temperature=temperature,
    ).item()


@pytest.mark.parametrize(
    ("temperature", "expected", "tolerance"),
    [(1.0, 1.1237634, 1e-6), (0.1, 3.0057763, 1e-5), (0.01, 29.2893219, 1e-3)],
)
def test_contrast(temperature: float, expected: float, tolerance: float) -> None:
    """Token 1, (0, 1): cosines 0, s, 1 with s = 1/sqrt 2, its own is the second.

    ln(1 + e^s + e) - s = 1.041466. Token 2, (1, 1): cosines s, 1, s, its own is the third:
    ln(2 e^s + e) - s = 1.206061. At .01 each is all but (1 - s) / .01 = 29.289322.
    """
    s, t = 1 / math.sqrt(2), temperature
    own = [-s / t + math.log(sum(math.exp(c / t) for c in row)) for row in ([0, s, 1], [s, 1, s])]
    assert sum(own) / 2 == pytest.approx(expected, abs=1e-6)
    assert contrast(temperature) == pytest.approx(expected, abs=tolerance)


def test_a_student_that_is_its_teacher_is_held_to_what_its_tokens_have_in_common() -> None:
    """Before training, nothing masked away and no dropout: the token's own cosine is 1, so each
    costs ln sum_j e^(cos_ij - 1). Of (1, 0), (0, 1), (1, 1) the first has the cosines 1, 0, s, the
    third s, s, 1 with s = 1/sqrt 2.
    """
    s = 1 / math.sqrt(2)
    by_hand = [
        math.log(1 + math.exp(-1) + math.exp(s - 1)),
        math.log(2 * math.exp(s - 1) + 1),
    ]
    assert contrast(1.0, STUDENT, STUDENT, [0, -1, 2]) == pytest.approx(sum(by_hand) / 2, abs=1e-6)


def test_padding_is_no_candidate_of_the_contrast() -> None:
    """With the padded fourth token among the candidates it would be 1.443585."""
    student, teacher = [*STUDENT, [0.0, 1.0]], [*TEACHER, [3.0, 3.0]]
    there, everywhere = (True, True, True, False), (True,) * 4
    found = contrast(1.0, student, teacher, [*POSITIVES, -1], there)
    assert found == pytest.approx(contrast(1.0), abs=1e-6)
    wrong = contrast(1.0, student, teacher, [*POSITIVES, -1], everywhere)
    assert wrong == pytest.approx(1.4435850, abs=1e-6)


def test_the_contrast_is_computed_in_full_precision() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert contrast(0.01) == pytest.approx(29.2893219, abs=1e-3)


KINDS = {
    "BertForMaskedLM": {"max_position_embeddings": 16},
    "RobertaForMaskedLM": {"max_position_embeddings": 18},
    "ModernBertForMaskedLM": {},
    "ElectraForMaskedLM": {"embedding_size": 8, "max_position_embeddings": 16},
    "DistilBertForMaskedLM": {"max_position_embeddings": 16},
}
"""Kinds of encoders: a head of their own over the states, one that widens them, none to call."""


@pytest.mark.parametrize("name", KINDS)
def test_the_loss_is_that_of_the_language_model(name: str) -> None:
    """Whatever its head is called; with a teacher that is the same model, the contrast is added."""
    import transformers

    torch.manual_seed(2)
    kind = getattr(transformers, name)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 8, "vocab_size": 30, "pad_token_id": 0}
    lm = kind(kind.config_class(**sizes, **KINDS[name])).eval()
    model = PretrainModel(lm, labels=[[5], [6, 7]], temperature=1.0).eval()
    ids = torch.tensor([[1, 3, 8, 9, 2], [1, 10, 3, 2, 0]])
    targets = torch.full_like(ids, IGNORED)
    targets[0, 1], targets[1, 2] = 11, 12
    there = (ids > 0).long()
    with torch.no_grad():
        plain = lm(input_ids=ids, attention_mask=there, labels=targets).loss
        states = lm(input_ids=ids, attention_mask=there, output_hidden_states=True).hidden_states
        assert model(ids, there, targets)["loss"].item() == pytest.approx(plain.item(), abs=1e-6)
        positives = torch.where(targets != IGNORED, torch.arange(5), -1)
        candidates = torch.tensor(
            [[False, True, True, True, False], [False, True, True, False, False]]
        )
        told = model(ids, there, targets, ids, there, positives, candidates)
        own = contrastive_loss(states[-1], states[-1], positives, candidates, temperature=1.0)
    assert told["loss"].item() == pytest.approx(plain.item() + own.item(), abs=1e-5)


WORDS = ["Patient", "heeft", "Crohn", "col", "##itis", "."]
"""Five words, the fourth of two tokens; ids 10 to 15, label tokens 101 (B) and 102 (I)."""
PIECES = Pieces(
    np.zeros((5, 2), dtype=np.int64),
    np.arange(10, 16, dtype=np.int32),
    np.array([0, 1, 2, 3, 5]),
)


def test_label_tokens_stand_around_every_word_of_an_entity() -> None:
    """Patient heeft <B> Crohn <B> <I> col ##itis <I> . between the tokens 1 and 2."""
    marked = words_of_entities(PIECES, [0, 0, 1, 2, 0], [0, 101, 102], room=20)
    [window] = windows(marked, [1], [2], 20)
    assert window.ids.tolist() == [1, 10, 11, 101, 12, 101, 102, 13, 14, 102, 15, 2]
    assert np.flatnonzero(window.eligible).tolist() == [4, 7, 8]
    assert window.without_labels().tolist() == [1, 10, 11, 12, 13, 14, 15, 2]
    assert window.plain[[4, 7, 8]].tolist() == [3, 4, 5]
    masker = Masker(3, np.arange(10, 16, dtype=np.int32), rate=1.0, shares=ALL)
    shown, targets = masker(window.ids, window.eligible, np.random.default_rng(1))
    assert shown.tolist() == [1, 10, 11, 101, 3, 101, 102, 3, 3, 102, 15, 2]
    assert targets[[4, 7, 8]].tolist() == [12, 13, 14]
    assert (np.delete(targets, [4, 7, 8]) == IGNORED).all()


def test_a_window_never_parts_a_word_from_its_label_tokens() -> None:
    """Eight tokens with those around it: the last word of the entity goes to the next window."""
    marked = words_of_entities(PIECES, [0, 0, 1, 2, 0], [0, 101, 102], room=6)
    parts = [w.ids.tolist() for w in windows(marked, [1], [2], 6)]
    assert parts == [[1, 10, 11, 101, 12, 101, 2], [1, 102, 13, 14, 102, 15, 2]]


def test_words_longer_than_a_window_are_parted_or_stay_unmarked() -> None:
    marked = words_of_entities(PIECES, [0, 0, 1, 2, 0], [0, 101, 102], room=3)
    assert marked.unmarked == 1
    parts = list(windows(marked, [], [], 3))
    assert [len(w.ids) for w in parts] == [2, 3, 3]
    long = Pieces(np.zeros((1, 2), dtype=np.int64), np.arange(8, dtype=np.int32), np.array([0]))
    found = [w.ids.tolist() for w in windows(every_token(long, room=3), [], [], 3)]
    assert found == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_shares_of_masked_tokens() -> None:
    """Of 100,000 tokens 15 % are chosen: 15,000 with a standard deviation of 113, so five of
    them either way; of the chosen 80, 10 and 10 %. Five special tokens are neither chosen nor
    drawn, and no token is replaced by itself.
    """
    random = np.random.default_rng(7)
    ids = random.integers(5, 1000, 100_000).astype(np.int32)
    ids[:1000] = random.integers(0, 5, 1000)
    masker = Masker(3, np.arange(5, 1000, dtype=np.int32), rate=0.15, shares=BERT)
    shown, targets = masker(ids, ids >= 5, random)
    chosen = targets != IGNORED
    assert 14_300 < chosen.sum() < 15_400
    assert not chosen[:1000].any()
    assert (targets[chosen] == ids[chosen]).all()
    assert (shown[~chosen] == ids[~chosen]).all()
    masked = (shown[chosen] == 3).mean()
    kept = (shown[chosen] == ids[chosen]).mean()
    assert (masked, kept) == (pytest.approx(0.8, abs=0.015), pytest.approx(0.1, abs=0.012))
    swapped = chosen & (shown != 3) & (shown != ids)
    assert shown[swapped].min() >= 5


def test_masks_depend_on_seed_epoch_and_row_alone() -> None:
    ids = np.arange(5, 505, dtype=np.int32)
    masker = Masker(3, ids, rate=0.15, shares=BERT)

    def masks(seed: int, epoch: int | None, row: int) -> list[int]:
        draws = Draws(seed, epoch=epoch)
        shown: list[int] = masker(ids, ids > 0, draws.of(row))[0].tolist()
        return shown

    assert masks(1, 0, 0) == masks(1, 0, 0)
    assert len({tuple(masks(*key)) for key in [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)]}) == 4
    assert masks(1, None, 0) == masks(1, None, 0)
