from __future__ import annotations

from pathlib import Path

import pytest
from conftest import REPORTS

from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.prompt import messages
from labelwright.records import Certainty
from labelwright.tasks.certainty.answer import render, system_prompt
from sft.scratch import CHATML, PRESETS, Shape, make_scratch_model, train_tokenizer

HOSTILE = [
    *REPORTS,
    "  3.5 cm, 12/03/2020;  XXXX\t___ \n\n1. Äther – naïve 心臓 🫁 don't",
    "FINDINGS:\r\n\r\nNO ACUTE DISEASE...",
]


def test_reloaded_tokenizer_is_the_trained_one(tiny_checkpoint: Path, chexpert: LabelSet) -> None:
    from transformers import AutoTokenizer

    made = train_tokenizer(REPORTS, chexpert, 1000)
    loaded = AutoTokenizer.from_pretrained(tiny_checkpoint)
    for text in HOSTILE:
        assert loaded(text)["input_ids"] == made(text)["input_ids"]
        assert loaded.decode(loaded(text)["input_ids"]) == text


def test_the_instruction_is_one_token(tiny_checkpoint: Path, chexpert: LabelSet) -> None:
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tiny_checkpoint)
    (token,) = loaded(system_prompt(chexpert))["input_ids"]
    assert token == len(loaded) - 1
    assert loaded.decode([token]) == system_prompt(chexpert)
    assert token not in loaded.all_special_ids


@pytest.mark.parametrize("name", ["chexpert-14", "head-ct-5"])
def test_every_word_of_the_answer_is_one_token(name: str) -> None:
    label_set = LabelSet.load(name)
    tokenizer = train_tokenizer(REPORTS, label_set, 300)
    line = render(label_set, {label_set.names[0]: Certainty.NEGATIVE})
    words = line.replace(",", " ,").replace(".", " .").split(" ")
    assert len(tokenizer(line)["input_ids"]) == len(words)
    for word in label_set.words.values():
        assert len(tokenizer(f" {word}")["input_ids"]) == 1


def test_special_tokens_and_template(tiny_checkpoint: Path, chexpert: LabelSet) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert tokenizer.chat_template == CHATML
    text = tokenizer.apply_chat_template(
        messages(chexpert, "Clear lungs."), tokenize=False, add_generation_prompt=True
    )
    assert isinstance(text, str)
    assert text.startswith("<|im_start|>system\nYou label chest X-ray reports.")
    assert text.endswith("<|im_start|>user\nClear lungs.<|im_end|>\n<|im_start|>assistant\n")
    alone = tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    assert alone == "<|im_start|>user\nx<|im_end|>\n"


@pytest.mark.parametrize(("name", "low", "high"), [("tiny", 0.5e6, 0.7e6), ("small", 4.5e6, 5e6)])
def test_presets_have_their_size(
    name: str, low: float, high: float, tmp_path: Path, chexpert: LabelSet
) -> None:
    from transformers import AutoModelForCausalLM

    make_scratch_model(REPORTS, tmp_path, label_set=chexpert, shape=PRESETS[name])
    assert (tmp_path / "model.safetensors").is_file()
    model = AutoModelForCausalLM.from_pretrained(tmp_path, use_safetensors=True)
    full = PRESETS[name].vocab_size - len(model.model.embed_tokens.weight)
    assert low < model.num_parameters() + full * model.config.hidden_size < high


def test_seed_decides_the_weights(tmp_path: Path, chexpert: LabelSet) -> None:
    from safetensors.torch import load_file

    weights = []
    for number, seed in enumerate((0, 0, 1)):
        out = tmp_path / str(number)
        make_scratch_model(REPORTS, out, label_set=chexpert, shape=Shape(), seed=seed)
        weights.append(load_file(out / "model.safetensors")["model.layers.0.mlp.up_proj.weight"])
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2])


def test_impossible_shape(tmp_path: Path, chexpert: LabelSet) -> None:
    with pytest.raises(ConfigError, match="must divide"):
        make_scratch_model(REPORTS, tmp_path, label_set=chexpert, shape=Shape(heads=5))
