"""A small BERT made on the spot, without a hub: words from the texts, random weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labelwright.io.jsonl import writing
from labelwright.runtime.pretrained import silent

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = 500
"""Letters that can spell a word; one with another letter is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Size of an encoder from scratch; ``vocab_size`` is an upper limit."""

    hidden_size: int
    layers: int
    heads: int
    vocab_size: int
    context: int = 512


PRESETS = {
    "tiny": Shape(hidden_size=64, layers=2, heads=4, vocab_size=2000),
    "small": Shape(hidden_size=192, layers=4, heads=6, vocab_size=4000),
}
"""Shapes by name: about 0.3 and 2.6 million weights with the whole vocabulary."""


def make_scratch_encoder(texts: Iterable[str], out: str | Path, *, shape: Shape, seed: int) -> None:
    """Write an encoder folder (safetensors, tokenizer) with random weights.

    Args:
        texts: report texts for the vocabulary; read once, in a stream.

    Raises:
        OutputError: the folder cannot be written.
    """
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    vocabulary = learn_vocabulary(texts, shape.vocab_size)
    tokenizer = BertTokenizer(
        vocab={piece: number for number, piece in enumerate(vocabulary)}, do_lower_case=True
    )
    tokenizer.model_max_length = shape.context
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden_size,
        max_position_embeddings=shape.context,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config, add_pooling_layer=False)
    with writing(out), silent():
        Path(out).mkdir(parents=True, exist_ok=True)
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)


def learn_vocabulary(texts: Iterable[str], size: int) -> list[str]:
    """Pieces for BERT's tokenizer: the most frequent words, and letters to spell the others.

    The trainer of the library tokenizers numbers its pieces in an order that changes from run to
    run, and with it the trained model; this is the same every time.
    """
    from tokenizers import normalizers, pre_tokenizers

    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    words: Counter[str] = Counter()
    for text in texts:
        pieces = splitter.pre_tokenize_str(normalizer.normalize_str(text))
        words.update(word for word, _ in pieces)
    letters: Counter[str] = Counter()
    for word, count in words.items():
        for letter in word:
            letters[letter] += count
    alphabet = sorted(_most(letters, LETTERS))
    vocabulary = [*SPECIAL, *alphabet, *(f"##{letter}" for letter in alphabet)]
    whole = _most({word: count for word, count in words.items() if len(word) > 1}, size)
    return [*vocabulary, *whole][: max(size, len(vocabulary))]


def _most(counts: Mapping[str, int], size: int) -> list[str]:
    """The most frequent keys; those of equal count in the order of the alphabet."""
    return sorted(counts, key=lambda key: (-counts[key], key))[:size]
