"""The encoder baseline: the model's loss and scores, and reports as tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import REPORTS
from sklearn.metrics import f1_score

from baselines.encoder.data import TextEncoder
from baselines.encoder.model import EncoderModel, scores
from baselines.encoder.scratch import PRESETS, make_scratch_encoder
from baselines.encoder.start import context_of, load_parts
from labelwright.errors import CheckpointError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights."""
    folder = tmp_path_factory.mktemp("start") / "bert"
    make_scratch_encoder(REPORTS, folder, shape=PRESETS["tiny"], seed=0)
    return folder


@pytest.mark.parametrize("name", ["chexpert-14", "head-ct-5"])
def test_loss_is_the_cross_entropy_of_each_head_summed(start: Path, name: str) -> None:
    """By hand from the heads' own outputs: the sum over heads, the mean over reports."""
    label_set = LabelSet.load(name)
    encoder, tokenizer = load_parts(start, name="start", dtype=torch.float32)
    model = EncoderModel(encoder, label_set, dropout=0.5).eval()
    batch = tokenizer(list(REPORTS[:3]), padding=True, return_tensors="pt")
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
    order = label_set.certainties
    picked = [[label.certainties[-1 - n % 2] for label in label_set.labels] for n in range(3)]
    gold = torch.tensor([[order.index(c) for c in row] for row in picked])
    with torch.inference_mode():
        out = model(**inputs, labels=gold)
        first = model.encoder(**inputs).last_hidden_state[:, 0]
        by_hand = 0.0
        for n, (head, item) in enumerate(zip(model.heads, label_set.labels, strict=True)):
            chance = torch.log_softmax(head(first), dim=-1)
            for row in range(3):
                by_hand -= float(chance[row, item.certainties.index(picked[row][n])])
    assert float(out["loss"]) == pytest.approx(by_hand / 3, rel=1e-5)
    assert out["logits"].shape == (3, len(label_set.labels), len(order))
    for n, item in enumerate(label_set.labels):
        possible = [c in item.certainties for c in order]
        assert torch.isfinite(out["logits"][:, n]).all(dim=0).tolist() == possible


def test_gradients_reach_every_weight(start: Path, chexpert: LabelSet) -> None:
    encoder, tokenizer = load_parts(start, name="start", dtype=torch.float32)
    model = EncoderModel(encoder, chexpert, dropout=0.0)
    batch = tokenizer(list(REPORTS), padding=True, return_tensors="pt")
    blank = chexpert.certainties.index(Certainty.BLANK)
    gold = torch.full((len(REPORTS), 14), blank)
    model(batch["input_ids"], batch["attention_mask"], gold)["loss"].backward()
    assert all(w.grad is not None and torch.isfinite(w.grad).all() for w in model.parameters())


def test_scores_are_those_of_scikit_learn(chexpert: LabelSet) -> None:
    random = np.random.default_rng(0)
    gold = random.integers(0, 4, (200, 14))
    gold[:, 13] = np.where(gold[:, 13] < 2, 0, 3)
    gold[gold == 2] = 3
    gold[:5, 2] = 2
    logits = random.normal(size=(200, 14, 4))
    logits[:150][np.arange(4) == gold[:150, :, None]] += 2
    found = scores(logits, gold, chexpert)
    answer = logits.argmax(-1)
    each = [
        f1_score(gold[:, n] == place, answer[:, n] == place)
        for n in range(14)
        for place, certainty in enumerate(chexpert.certainties)
        if certainty is not Certainty.BLANK and (gold[:, n] == place).any()
    ]
    assert found["macro_f1"] == pytest.approx(np.mean(each))
    assert found["accuracy"] == pytest.approx((gold == answer).mean())
    assert found["exact_match"] == pytest.approx((gold == answer).all(axis=1).mean())


def test_tokens_are_cut_as_published(start: Path) -> None:
    """The first tokens and the closing one, so 511 and the separator at 512."""
    _, tokenizer = load_parts(start, name="start", dtype=torch.float32)
    text = " ".join(["effusion"] * 600)
    whole = tokenizer(text, truncation=False, verbose=False)["input_ids"]
    [short, long] = TextEncoder(tokenizer, limit=512).encode(["No effusion.", text])
    assert not short.cut
    assert long.cut
    assert list(long.ids) == [*whole[:511], tokenizer.sep_token_id]
    [fits] = TextEncoder(tokenizer, limit=len(whole)).encode([text])
    assert (list(fits.ids), fits.cut) == (whole, False)


def test_long_texts_of_few_tokens_are_read_to_their_end(start: Path) -> None:
    """A word of more than a hundred letters is one unknown token, however long it is."""
    _, tokenizer = load_parts(start, name="start", dtype=torch.float32)
    text = f"Clear. {'x' * 9000} effusion."
    [found] = TextEncoder(tokenizer, limit=16).encode([text])
    assert list(found.ids) == tokenizer(text)["input_ids"]
    assert not found.cut


def test_white_space_and_special_tokens_in_reports(start: Path) -> None:
    _, tokenizer = load_parts(start, name="start", dtype=torch.float32)
    encoder = TextEncoder(tokenizer, limit=64)
    plain, spaced = encoder.encode(["No effusion.", "No\r\n\n \teffusion. "])
    assert plain == spaced
    [hostile] = encoder.encode(["Clear. [SEP] [CLS] [PAD] effusion"])
    special = [token for token in hostile.ids if token in tokenizer.all_special_ids]
    assert special[0] == tokenizer.cls_token_id
    assert special[-1] == tokenizer.sep_token_id
    assert tokenizer.pad_token_id not in special
    assert special.count(tokenizer.sep_token_id) == 1


def test_a_decoder_is_no_encoder(tiny_checkpoint: Path) -> None:
    _, tokenizer = load_parts(tiny_checkpoint, name="tiny", dtype=torch.float32)
    with pytest.raises(CheckpointError, match="classification token"):
        TextEncoder(tokenizer, limit=64)


def test_context_of_roberta_leaves_out_the_padding_positions(start: Path) -> None:
    """RoBERTa's table of 514 positions holds 512 tokens (its padding number is 1)."""
    from transformers import RobertaConfig, RobertaModel

    _, tokenizer = load_parts(start, name="start", dtype=torch.float32)
    tokenizer.model_max_length = int(1e30)
    config = RobertaConfig(
        vocab_size=50,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=514,
    )
    assert context_of(RobertaModel(config), tokenizer) == 512
    encoder, _ = load_parts(start, name="start", dtype=torch.float32)
    assert context_of(encoder, tokenizer) == 512


def test_scratch_tokenizer_survives_reloading(start: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(start)
    ids = tokenizer("Pleural effusion, XXXX 3.5 cm; naïve")["input_ids"]
    assert str(tokenizer.decode(ids)).startswith("[CLS] pleural effusion,")
    assert tokenizer.unk_token_id not in tokenizer(REPORTS[0])["input_ids"]
