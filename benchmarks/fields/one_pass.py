"""What it costs to ask 74 fields of a letter in one pass, on random weights, in one run.

Beside it stand a bare pass over as many tokens (prompt and branches, nothing decided), and the same
answer written as a JSON object, token by token with remembered keys and values, as its known
fields make it. Ratios of CPU time; the weights are random, so what is written is fixed.

    python benchmarks/fields/one_pass.py [--letters 6] [--shape small]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from typing import Any

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from data_builders.synthetic.letters.writer import write_letters
from inference.decode.decoder import DecodeOptions
from inference.decode.linear import quicken
from inference.decode.text_pass import Branch, TextPass
from inference.load import Loaded
from inference.prompts import Prompt, PromptWriter
from labelwright.checkpoint import TaskInfo
from labelwright.label_set import LabelSet
from labelwright.prompt import prompt_version
from labelwright.tasks.choices import BRANCHES, LINE
from labelwright.tasks.fields.schema import fields_of
from labelwright.tasks.fields.values import Fields
from sft.scratch import CHATML, train_tokenizer

SHAPES = {
    "tiny": (96, 3, 3, 288),
    "small": (224, 6, 7, 672),
    "medium": (512, 12, 8, 1408),
    "smollm2-135m": (576, 30, 9, 1536),
}
"""Width, layers, heads, inner width."""
CONTEXT = 8192


def made(label_set: LabelSet, shape: str, texts: list[str]) -> Loaded:
    """A model of random weights, with a tokenizer of the letters' language."""
    width, layers, heads, inner = SHAPES[shape]
    tokenizer: Any = train_tokenizer(texts, label_set, 8000)
    tokenizer.chat_template = CHATML
    tokenizer.model_max_length = CONTEXT
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    model: Any = Qwen2ForCausalLM(config).eval()
    quicken(model)
    version = prompt_version(label_set)
    task = TaskInfo(label_set.fingerprint, version, (LINE, BRANCHES), "full", shape)
    return Loaded(shape, model, tokenizer, label_set, task, CONTEXT, {})


class Pass(TextPass):
    """Decides all fields; the words of open ones are not copied."""

    def _open(self, *_: Any) -> list[Branch]:
        return []

    def _answer(self, prompt: Prompt, found: Any, seconds: float) -> Any:
        found.words.update(dict.fromkeys(found.probs, ("", 1.0)))
        return super()._answer(prompt, found, seconds)


def as_json(label_set: LabelSet, value: Fields) -> str:
    """The stated fields as one object."""
    own = fields_of(label_set)
    said = {n: [i.raw for i in one.items] for n, one in value.items() if one.items}
    return json.dumps({n: v if n in own.many else v[0] for n, v in said.items()})


def cpu(work: Any) -> float:
    """Seconds of this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


def written(loaded: Loaded, prompt: Prompt, count: int) -> None:
    """So many tokens behind a prompt, one at a time."""
    model: Any = loaded.model
    with torch.inference_mode():
        ids = torch.tensor([prompt.tokens])
        found = model(input_ids=ids, use_cache=True, logits_to_keep=1)
        for _ in range(count - 1):
            ids = found.logits[:, -1].argmax(-1, keepdim=True)
            found = model(input_ids=ids, past_key_values=found.past_key_values, use_cache=True)


def main() -> None:
    """Measure, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=4)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    label_set = LabelSet.load("cardiac-discharge-74")
    letters = list(write_letters(label_set, 200, 5))
    loaded = made(label_set, chosen.shape, [one.report.text for one in letters])
    asker = Pass(loaded, DecodeOptions(batch_size=1, batch_tokens=512))
    writer = PromptWriter(loaded, room=asker.room)
    rows = []
    for letter in letters[: chosen.letters + 1]:
        (prompt,) = writer.write([letter.report.text])
        assert isinstance(prompt, Prompt)
        prompt = replace(prompt, text=letter.report.text)
        plan = asker._plan(prompt.text)
        answer = as_json(label_set, letter.fields)
        count = len(loaded.tokenizer(answer, add_special_tokens=False)["input_ids"])
        rows.append(measured(asker, loaded, prompt, plan.size, count))
    rows = rows[1:]  # the first warms up
    middle = [statistics.median(column) for column in zip(*rows, strict=True)]
    print(
        f"{chosen.shape}: {loaded.model.num_parameters():,} weights, {len(rows)} letters, one core"
    )
    print(f"prompt {middle[0]:.0f} tokens, branches {middle[1]:.0f}, JSON answer {middle[2]:.0f}")
    print(f"one pass     {middle[3]:.3f} CPU s")
    print(f"bare pass    {middle[4]:.3f} CPU s: one pass takes {middle[3] / middle[4]:.2f} x of it")
    print(f"JSON, free   {middle[5]:.3f} CPU s: {middle[5] / middle[3]:.1f} x one pass")


def measured(
    asker: Pass, loaded: Loaded, prompt: Prompt, branches: int, answer: int
) -> tuple[float, ...]:
    """Tokens of prompt, branches and JSON; seconds of one pass, a bare pass, free JSON."""
    model: Any = loaded.model
    bare = torch.randint(10, 1000, (1, len(prompt.tokens) + branches))
    with torch.inference_mode():
        passed = cpu(lambda: asker.decode([prompt]))
        plain = cpu(lambda: model(input_ids=bare, use_cache=False, logits_to_keep=1))
    free = cpu(lambda: written(loaded, prompt, answer))
    return len(prompt.tokens), branches, answer, passed, plain, free


if __name__ == "__main__":
    main()
