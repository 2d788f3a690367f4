"""A larger model says what the smaller one said, in fewer tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sft.grow import main, merges

TEXTS = ["Retrocardiac opacity persists.", "No retrocardiac opacity.", "Opacity persists."]


def test_merges_join_the_commonest_neighbours_first() -> None:
    words = {"abab": 40, "abc": 35, "bc": 10}
    split = {word: list(word) for word in words}
    assert merges(words, split, 9) == [("a", "b"), ("ab", "ab"), ("ab", "c")]
    # ab: 2 x 40 + 35; then abab 40 times, abc 35 times; bc stands 10 times by itself: too rare
    assert split == {"abab": ["abab"], "abc": ["abc"], "bc": ["b", "c"]}
    assert merges(words, {word: list(word) for word in words}, 1) == [("a", "b")]


def test_twice_the_layers_answer_the_same(tiny_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "larger"
    assert main([str(tiny_checkpoint), "--out", str(out), "--twice"]) == 0
    small, large = (AutoModelForCausalLM.from_pretrained(f) for f in (tiny_checkpoint, out))
    assert large.config.num_hidden_layers == 2 * small.config.num_hidden_layers
    ids = torch.arange(5, 25)[None]
    with torch.inference_mode():
        torch.testing.assert_close(large(ids).logits, small(ids).logits, atol=1e-5, rtol=0)
    copied = large.model.layers[1]
    assert torch.equal(copied.mlp.up_proj.weight, small.model.layers[0].mlp.up_proj.weight)
    assert not copied.mlp.down_proj.weight.any()


def test_more_tokens_start_as_the_mean_of_their_pieces(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    records, out = tmp_path / "records", tmp_path / "larger"
    records.mkdir()
    turns = [
        {
            "prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": text}],
            "completion": [{"role": "assistant", "content": "A"}],
        }
        for text in TEXTS * 40
    ]
    (records / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in turns))
    words = [str(tiny_checkpoint), "--out", str(out), "--tokens", "200"]
    assert main([*words, "--records", str(records)]) == 0
    before, after = (AutoTokenizer.from_pretrained(f) for f in (tiny_checkpoint, out))
    model = AutoModelForCausalLM.from_pretrained(out)
    assert len(before) < len(after) == len(model.get_input_embeddings().weight)
    pieces = before.tokenize(" retrocardiac")
    assert len(pieces) > 1
    assert after.tokenize(" retrocardiac") == ["Ġretrocardiac"]
    assert after.tokenize("user") == ["user"]
    small = AutoModelForCausalLM.from_pretrained(tiny_checkpoint).get_input_embeddings().weight
    mean = small[before.convert_tokens_to_ids(pieces)].mean(0)
    found = model.get_input_embeddings().weight[after.convert_tokens_to_ids("Ġretrocardiac")]
    torch.testing.assert_close(found, mean)
    ids = after.get_vocab()
    assert sorted(ids.values()) == list(range(len(after)))
    instruction = max(before.get_vocab(), key=len)  # one token, behind all others
    assert ids.pop(instruction) == len(after) - 1
    assert {k: v for k, v in before.get_vocab().items() if k != instruction}.items() <= ids.items()
    assert torch.equal(model.get_input_embeddings().weight[-1], small[-1])


def test_what_cannot_grow_is_refused(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = str(tiny_checkpoint)
    for words, said in (
        ([given, "--out", given, "--twice"], "the folder is there already"),
        ([str(tmp_path), "--out", str(tmp_path / "o"), "--twice"], "no model.safetensors"),
        ([given, "--out", str(tmp_path / "o"), "--tokens", "5"], "--tokens needs --records"),
    ):
        assert main(words) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
