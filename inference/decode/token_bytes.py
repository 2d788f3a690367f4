"""The bytes that every token of a tokenizer stands for."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
SPACE = "▁"


def token_bytes(tokenizer: PreTrainedTokenizerBase) -> dict[int, bytes]:
    """Token id to bytes, special and added tokens left out.

    Byte-level BPE (GPT-2, Qwen, Llama 3) writes every byte as a letter of its own; SentencePiece
    (Llama 2, Gemma) writes a space as ``▁`` and rare bytes as ``<0xNN>``.
    """
    added = set(tokenizer.added_tokens_decoder) | set(tokenizer.all_special_ids)
    vocabulary = {i: t for t, i in tokenizer.get_vocab().items() if i not in added}
    if _byte_level(tokenizer):
        letters = _letters()
        return {
            i: bytes(letters[char] for char in token)
            for i, token in vocabulary.items()
            if all(char in letters for char in token)
        }
    return {i: _piece(token) for i, token in vocabulary.items()}


def _piece(token: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(SPACE, " ").encode()


def _byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return False
    return '"ByteLevel"' in json.dumps(json.loads(backend.to_str()).get("decoder"))


@cache
def _letters() -> dict[str, int]:
    """The letter of every byte in GPT-2's byte-level BPE (Radford et al. 2019, its encoder.py)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(b): b for b in plain} | {chr(256 + n): b for n, b in enumerate(others)}
