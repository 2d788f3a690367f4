"""A larger model that starts where a smaller one stands.

    python sft/grow.py out/start --out out/larger --twice --tokens 2500 --records out/records

``--twice`` puts behind each layer a copy of it that adds nothing yet: its two output projections
are zero (Chen et al. 2016, Net2Net, arXiv:1511.05641), so the model answers as before and learns
the rest. ``--tokens`` goes on with the byte pair encoding of the tokenizer on the texts of the
records: the commonest neighbours become one token, which starts as the mean of the pieces that it
was. New merges come last, so no token of before is undone; texts get shorter.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import CheckpointError, ConfigError, OutputError
from labelwright.io.jsonl import read_jsonl, write_json, writing
from labelwright.program import guarded

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS, TOKENIZER, CONFIG = "model.safetensors", "tokenizer.json", "config.json"
EMBEDDINGS, LAYER = "model.embed_tokens.weight", "model.layers."
SILENT = ("self_attn.o_proj.weight", "mlp.down_proj.weight")
LEFT = ("checkpoint-*", "tensorboard", "run.json", "calibration.json", WEIGHTS)
RARE = 30
"""How often two neighbours must stand in the texts to become one token."""

Weights = dict[str, "Tensor"]


def grow(folder: Path, out: Path, *, twice: bool, tokens: int, texts: Iterable[str]) -> None:
    """Write the larger model to ``out``.

    Raises:
        CheckpointError: the folder holds no model of the kind that ``labelwright train`` makes.
        OutputError: ``out`` exists.
    """
    from safetensors.torch import load_file, save_file

    if out.exists():
        raise OutputError("the folder is there already", remedy="give another --out", source=out)
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"no {WEIGHTS}", remedy="give a model folder", source=folder)
    weights = load_file(folder / WEIGHTS)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    tokenizer = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
    if twice:
        weights = doubled(weights, config["num_hidden_layers"])
        config["num_hidden_layers"] *= 2
        config["layer_types"] = [kind for kind in config["layer_types"] for _ in range(2)]
    if tokens:
        weights = _more_tokens(weights, tokenizer, texts, tokens)
        config["vocab_size"] = len(weights[EMBEDDINGS])
    with writing(out):
        shutil.copytree(folder, out, ignore=shutil.ignore_patterns(*LEFT))
        write_json(out / CONFIG, config)
        (out / TOKENIZER).write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
        save_file(weights, out / WEIGHTS, metadata={"format": "pt"})


def doubled(weights: Mapping[str, Tensor], layers: int) -> Weights:
    """The weights with a silent copy behind each of the ``layers``."""
    more: Weights = {name: one for name, one in weights.items() if not name.startswith(LAYER)}
    for layer in range(layers):
        start = f"{LAYER}{layer}."
        for name, one in weights.items():
            if name.startswith(start):
                part = name.removeprefix(start)
                more[f"{LAYER}{2 * layer}.{part}"] = one
                copy = one.clone()
                more[f"{LAYER}{2 * layer + 1}.{part}"] = copy.zero_() if part in SILENT else copy
    return more


def _more_tokens(
    weights: Weights, tokenizer: dict[str, Any], texts: Iterable[str], most: int
) -> Weights:
    """Learn merges, and give each new token the mean of its pieces; ``tokenizer`` is changed."""
    import torch
    from tokenizers import Tokenizer

    model = tokenizer["model"]
    before = Tokenizer.from_str(json.dumps(tokenizer))
    words: Counter[str] = Counter()
    for text in texts:
        plain = text if before.normalizer is None else before.normalizer.normalize_str(text)
        words.update(word for word, _ in before.pre_tokenizer.pre_tokenize_str(plain))
    split = {word: _pieces(before, word) for word in words}
    vocabulary: dict[str, int] = model["vocab"]
    known = weights[EMBEDDINGS]
    behind = sorted(tokenizer["added_tokens"], key=lambda token: int(token["id"]))
    behind = [token for token in behind if token["id"] >= len(vocabulary)]
    if len(known) != len(vocabulary) + len(behind):
        raise CheckpointError("tokenizer and embeddings differ in size", remedy="train it again")
    own = known[: len(vocabulary)]
    rows: list[Tensor] = []
    for left, right in merges(words, split, most):
        model["merges"].append([left, right])
        if left + right not in vocabulary:
            pieces = [vocabulary[one] for one in _pieces(before, left + right)]
            vocabulary[left + right] = len(own) + len(rows)
            rows.append(known[pieces].mean(0)[None])
    for place, token in enumerate(behind):  # a tokenizer counts them behind its own
        token["id"] = len(vocabulary) + place
    return {**weights, EMBEDDINGS: torch.cat([own, *rows, known[len(own) :]])}


def _pieces(tokenizer: Any, word: str) -> list[str]:
    """The tokens of a word that is written in the vocabulary's byte alphabet."""
    return [token.value for token in tokenizer.model.tokenize(word)]


def merges(
    words: Mapping[str, int], split: dict[str, list[str]], most: int
) -> list[tuple[str, str]]:
    """The next merges of a byte pair encoding.

    Args:
        words: how often each word stands in the texts.
        split: the tokens of each so far; joined as the merges say.
    """
    count: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], set[str]] = defaultdict(set)
    for word, pieces in split.items():
        for pair in pairwise(pieces):
            count[pair] += words[word]
            where[pair].add(word)
    found: list[tuple[str, str]] = []
    while len(found) < most and count:
        best = max(count, key=lambda pair: (count[pair], pair))
        if count[best] < RARE:
            break
        found.append(best)
        for word in where.pop(best):
            for pair in pairwise(split[word]):
                count[pair] -= words[word]
            split[word] = _joined(split[word], best)
            for pair in pairwise(split[word]):
                count[pair] += words[word]
                where[pair].add(word)
        del count[best]
    return found


def _joined(pieces: Sequence[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    for piece in pieces:
        if out and (out[-1], piece) == pair:
            out[-1] += piece
        else:
            out.append(piece)
    return out


def _texts(records: Path) -> Iterator[str]:
    """The reports, and the names of the turns, which stand in every prompt."""
    for _, row in read_jsonl(records / "train.jsonl"):
        turns = [*row["prompt"], *row["completion"]]
        yield from (turn["role"] for turn in turns)
        yield from (turn["content"] for turn in turns if turn["role"] == "user")


def main(argv: Sequence[str]) -> int:
    """Grow a model as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description="A larger model that knows what a smaller knew.")
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("--out", required=True, type=Path, help="the new model's folder")
    parser.add_argument("--twice", action="store_true", help="twice as many layers")
    parser.add_argument("--tokens", type=int, default=0, help="how many more tokens")
    parser.add_argument("--records", type=Path, help="data folder whose texts they come from")
    given = parser.parse_args(argv)

    def run() -> int:
        if bool(given.tokens) != bool(given.records):
            raise ConfigError("--tokens needs --records", remedy="give both or neither")
        texts = _texts(given.records) if given.records else ()
        grow(given.model, given.out, twice=given.twice, tokens=given.tokens, texts=texts)
        return 0

    return guarded(run, debug=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
