"""What the benchmarks of decoding share: reports, models of known shapes, clocks, rounds.

The models have random weights unless a trained folder is given: what a pass costs depends on
the shape alone. The tokenizer is learned here, with an instruction of about 150 tokens and
three tokens per observation, which is what Qwen's own gives.
"""

from __future__ import annotations

import csv
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_builders.synthetic.reports import write_reports
from inference.decode.generate import Free, Greedy, end_tokens
from inference.decode.linear import quicken
from inference.decode.scores import Scores
from inference.load import Loaded
from inference.prompts import Prompt, PromptWriter
from labelwright.checkpoint import TaskInfo
from labelwright.label_set import LabelSet
from labelwright.prompt import prompt_version
from labelwright.tasks.choices import BRANCHES, LINE, AnswerTokens
from sft.scratch import CHATML, EOS, PAD, TURN, train_tokenizer

EXAMPLES = Path(__file__).parent.parent / "examples" / "reports.csv"
SHAPES: Mapping[str, Mapping[str, int]] = {
    "tiny": {"hidden": 96, "layers": 3, "heads": 3, "kv": 3, "inner": 288, "vocab": 2018},
    "small": {"hidden": 224, "layers": 6, "heads": 7, "kv": 7, "inner": 672, "vocab": 4018},
    "qwen1.5-0.5b": {
        "hidden": 1024, "layers": 24, "heads": 16, "kv": 16, "inner": 2816, "vocab": 151936,
    },
    "qwen2.5-0.5b": {
        "hidden": 896, "layers": 24, "heads": 14, "kv": 2, "inner": 4864, "vocab": 151936,
    },
}  # fmt: skip
"""The scratch presets, and the shapes that the two hub models' ``config.json`` give."""

WORDS_AT_LEAST = 30
"""Grammar reports shorter than this are left out; the rest have about 73 tokens on average."""


def reports(count: int, *, examples: bool = False) -> list[str]:
    """Different report texts: hand-written ones of ``examples/`` or the grammar's longer ones."""
    if examples:
        with EXAMPLES.open(newline="") as file:
            rows = [
                f"{row['findings']}\n{row['impression']}".strip() for row in csv.DictReader(file)
            ]
        return [rows[place % len(rows)] for place in range(count)]
    made = write_reports(LabelSet.load("chexpert-14"), 100 * count, 7)
    texts = (report.text for report, _ in made)
    return list(islice((t for t in texts if len(t.split()) >= WORDS_AT_LEAST), count))


def tokenizer(label_set: LabelSet, vocab: int = 6000) -> Any:
    """A byte-level BPE in which the instruction is many tokens, as in a hub model's."""
    from transformers import Qwen2Tokenizer

    texts = (r.text for r, _ in write_reports(LabelSet.load("chexpert-14"), 3000, 1))
    whole = train_tokenizer(texts, label_set, vocab)
    learned = json.loads(whole.backend_tokenizer.to_str())["model"]
    made: Any = Qwen2Tokenizer(
        vocab=learned["vocab"],
        merges=[tuple(pair) for pair in learned["merges"]],  # type: ignore[arg-type]
        unk_token=PAD,
        pad_token=PAD,
        eos_token=EOS,
        additional_special_tokens=[TURN],
    )
    made.chat_template = CHATML
    return made


def random_model(
    shape: str, label_set: LabelSet, *, device: str, dtype: torch.dtype, fast_linear: bool = True
) -> Loaded:
    """A Qwen2 model with random weights, as if trained on both answer layouts."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    size, tok = SHAPES[shape], tokenizer(label_set)
    config = Qwen2Config(
        vocab_size=max(size["vocab"], len(tok)),
        hidden_size=size["hidden"],
        num_hidden_layers=size["layers"],
        num_attention_heads=size["heads"],
        num_key_value_heads=size["kv"],
        intermediate_size=size["inner"],
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tok.eos_token_id,
        pad_token_id=tok.pad_token_id,
    )
    torch.manual_seed(0)
    model: Any = Qwen2ForCausalLM(config).to(device=device, dtype=dtype).eval()
    if fast_linear:
        quicken(model)
    task = TaskInfo(
        label_set.fingerprint, prompt_version(label_set), (LINE, BRANCHES), "full", None
    )
    return Loaded(shape, model, tok, label_set, task, 4096, {})


def prompts_of(loaded: Loaded, room: int, texts: Sequence[str]) -> list[Prompt]:
    """The prompts; none is refused."""
    return [p for p in PromptWriter(loaded, room=room).write(texts) if isinstance(p, Prompt)]


class ForcedFree(Free):
    """Free decoding that writes a valid line and then ends, whatever the weights say.

    A model with random weights would never end; a trained one writes just such a line. The
    work is that of :class:`Free`: the whole output matrix at every step included.
    """

    def __init__(self, loaded: Loaded, options: Any, answers: AnswerTokens) -> None:
        super().__init__(loaded, options)
        self._greedy = Greedy(loaded, options, guide=self)
        labels = [
            {s.label: rng.choice(list(s.options)) for s in answers.slots}
            for rng in map(random.Random, range(16))
        ]
        self._lines = [[*answers.line(row), end_tokens(loaded)[0]] for row in labels]
        self.steps = 0

    def processor(self, texts: Sequence[str], *_: Any) -> Callable[[Any, Any], Any]:
        """The lines of a batch, token by token, as the ``Guide`` of generation does."""
        lines = [self._lines[row % len(self._lines)] for row in range(len(texts))]
        begun = self.steps

        def force(_: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            step = self.steps - begun
            self.steps += 1
            wanted = torch.tensor([line[min(step, len(line) - 1)] for line in lines])
            scores.fill_(-torch.inf)
            return scores.index_put_(
                (torch.arange(len(lines)), wanted), torch.zeros((), dtype=scores.dtype)
            )

        return force


class Drawn(Scores):
    """Real work, drawn answers: lines are blank, drafts are wrong in a share of observations."""

    def __init__(self, like: Scores, wrong: float) -> None:
        self.__dict__.update(like.__dict__)
        self._wrong, self._rng = wrong, np.random.default_rng(0)
        self._last = (~self._closed).sum(axis=1) - 1

    def logs(self, logits: np.ndarray, decisions: Sequence[int] | np.ndarray) -> np.ndarray:
        """The last option of every decision."""
        found = super().logs(logits, decisions)
        found[~self._closed[decisions]] = -50.0
        found[np.arange(len(found)), self._last[decisions]] = 0.0
        return found

    def all_probs(self, logits: np.ndarray) -> np.ndarray:
        """The drafts: mostly the last option, else the first but one."""
        found = super().all_probs(logits)
        last = (~self._absent).sum(axis=1) - 1
        wrong = self._rng.random(found.shape[:2]) < self._wrong
        picks = np.where(wrong, np.maximum(last - 2, 0), last)
        return (np.arange(found.shape[2]) == picks[..., None]).astype(np.float64)


def clock(device: str) -> Callable[[], float]:
    """CPU seconds of this process, all threads; on a GPU seconds with its queue emptied."""
    if device == "cpu":
        return time.process_time

    def now() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return now


def timed(
    ways: Mapping[str, Callable[[], object]], rounds: int, device: str
) -> dict[str, list[float]]:
    """Seconds of every way, round by round; in a round each way runs once, in turn."""
    now = clock(device)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = now()
            way()
            found[name].append(now() - began)
    return found


def ratio(seconds: Mapping[str, Sequence[float]], slow: str, fast: str) -> float:
    """How many times faster ``fast`` is: the median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(seconds[slow], seconds[fast], strict=True))


def peak_memory(way: Callable[[], object]) -> float:
    """MiB that ``way`` needs at its peak beyond what the process held before (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    way()
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise SystemExit(f"no {name} in /proc/self/status")


def machine() -> str:
    """CPU, threads, torch."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "CPU")
    return (
        f"{model}, {torch.get_num_threads()} of {os.cpu_count()} cores, torch {torch.__version__}"
    )
