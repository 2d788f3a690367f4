"""What a server may answer, in the languages that servers understand, and how it is read back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of
from labelwright.tasks.base import Choices

_SPECIAL = re.compile(r"([\\.^$*+?()\[\]{}|])")

UNCLEAR = 0.01
"""The largest share of probability that may belong to no option in particular."""


def regex(choices: Choices) -> str:
    """A regular expression of exactly the complete answer lines.

    Only what all engines read alike: literals, groups, alternatives.
    """
    parts = [
        f"{_escaped(slot.prefix)}({'|'.join(map(_escaped, slot.options.values()))})"
        for slot in choices.slots
    ]
    return "".join(parts) + _escaped(choices.end)


def gbnf(choices: Choices) -> str:
    """The same as a grammar of llama.cpp."""
    parts = [
        f"{_quoted(slot.prefix)} ({' | '.join(map(_quoted, slot.options.values()))})"
        for slot in choices.slots
    ]
    return f"root ::= {' '.join(parts)} {_quoted(choices.end)}\n"


def json_schema(choices: Choices) -> dict[str, Any]:
    """An object with one word per slot, for servers that constrain only JSON."""
    return {
        "type": "object",
        "properties": {
            slot.key: {"type": "string", "enum": [text.strip() for text in slot.options.values()]}
            for slot in choices.slots
        },
        "required": [slot.key for slot in choices.slots],
        "additionalProperties": False,
    }


def is_valid(label_set: LabelSet, raw: str) -> bool:
    """Whether an answer is one that the constraints allow: complete and nothing else."""
    kind = kind_of(label_set)
    if kind.choices(label_set) is None:
        return not kind.faults(label_set, raw)
    value = kind.parse(label_set, kind.plain(raw), "", ended=True).value
    return kind.complete(value) and kind.plain(raw).strip() == kind.render(label_set, value)


def probabilities(
    label_set: LabelSet, raw: str, tokens: object
) -> Mapping[str, Mapping[str, float]] | None:
    """Probabilities of the options, from a server's ``logprobs.content``.

    At every slot the alternatives listed for its token are counted for the option that
    they begin, and normalised over the options. An option that is not among the alternatives
    gets 0. Where options share their first token, the tokens that follow decide. A slot
    is left out if more than :data:`UNCLEAR` of the probability belongs to tokens
    that begin several options.

    Args:
        tokens: a list of ``{"token", "bytes", "logprob", "top_logprobs": [...]}``.

    Returns:
        ``{slot: {option: p}}``; ``None`` if the answer is not exactly an answer line,
        or the tokens are not its tokens.
    """
    steps = _steps(tokens)
    if steps is None or not is_valid(label_set, raw) or raw.lstrip().startswith("{"):
        return None
    whole = b"".join(step.chosen for step in steps)
    start = len(whole) - len(whole.lstrip())
    line = raw.strip().encode()
    if whole.strip()[: len(line)] != line:
        return None
    found: dict[str, Mapping[str, float]] = {}
    kind = kind_of(label_set)
    choices = kind.choices(label_set)
    if choices is None:
        return None
    picks = kind.picks(label_set, kind.parse(label_set, raw, "", ended=True).value)
    after_each = [*(slot.prefix for slot in choices.slots[1:]), choices.end]
    for slot, after in zip(choices.slots, after_each, strict=True):
        start += len(slot.prefix.encode())
        options = {c: (text + after[0]).encode() for c, text in slot.options.items()}
        shares = _shares(steps, start, options)
        if shares is not None:
            found[slot.label] = {str(option): p for option, p in shares.items()}
        chosen = picks[slot.label]
        assert chosen is not None  # noqa: S101  is_valid says so
        start += len(slot.options[chosen].encode())
    return found or None


class _Step:
    """One generated token: its bytes and the alternatives with their probabilities."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.chosen = _bytes(row)
        listed = [row, *(row.get("top_logprobs") or [])]
        # The token chosen may stand among its own alternatives; each counts once.
        self.alternatives = {_bytes(item): math.exp(float(item["logprob"])) for item in listed}


def _steps(tokens: object) -> list[_Step] | None:
    if not isinstance(tokens, list) or not tokens:
        return None
    try:
        return [_Step(row) for row in tokens]
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
        return None


def _bytes(row: Mapping[str, Any]) -> bytes:
    written = row.get("bytes")
    return bytes(written) if isinstance(written, list) else str(row["token"]).encode()


def _shares(
    steps: list[_Step], start: int, options: Mapping[str, bytes]
) -> dict[str, float] | None:
    """Probability per option, each given as the bytes that it is written with from ``start``."""
    at, number = 0, 0
    while number < len(steps) and at + len(steps[number].chosen) <= start:
        at += len(steps[number].chosen)
        number += 1
    before = b"".join(step.chosen for step in steps[number : number + 4])[: start - at]
    open_ = {c: before + text for c, text in options.items()}
    shares, path, unclear = dict.fromkeys(options, 0.0), 1.0, 0.0
    while len(open_) > 1 and number < len(steps):
        step = steps[number]
        for token, share in step.alternatives.items():
            begun = [c for c, text in open_.items() if _agree(text, token)]
            if token != step.chosen and len(begun) == 1:
                shares[begun[0]] += path * share
            elif token != step.chosen and begun:
                unclear += path * share
        open_ = {c: t[len(step.chosen) :] for c, t in open_.items() if _agree(t, step.chosen)}
        path *= step.alternatives[step.chosen]
        number += 1
    for option in open_:
        shares[option] += path
    total = sum(shares.values())
    if len(open_) != 1 or not total > 0 or unclear > UNCLEAR * (total + unclear):
        return None
    return {c: share / total for c, share in shares.items()}


def _agree(text: bytes, token: bytes) -> bool:
    return bool(token) and (text.startswith(token) or token.startswith(text))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
