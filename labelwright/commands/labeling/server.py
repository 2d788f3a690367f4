"""The flags of ``labelwright label`` for a model behind an OpenAI-compatible server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from labelwright.commands.flags import positive
from labelwright.errors import ConfigError

if TYPE_CHECKING:
    from inference.server.labeler import ServerLabeler

KINDS = ("auto", "vllm", "llama.cpp", "transformers", "openai")
FLAGS = {
    "server_kind": "kind",
    "concurrency": "concurrency",
    "server_timeout": "timeout",
    "allow_remote": "allow_remote",
    "model_folder": "folder",
    "prompt": "prompt",
    "price_in": "price_in",
    "price_out": "price_out",
    "answer_tokens": "answer_tokens",
}
"""Flags that mean something beside ``--server`` only, and what the labeler calls them."""


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    """``--server`` and the flags that go with it."""
    group = parser.add_argument_group(
        "model server", "a key is read from the environment variable LABELWRIGHT_API_KEY"
    )
    group.add_argument(
        "--server",
        metavar="URL",
        help="ask a model behind an OpenAI-compatible server, such as http://127.0.0.1:8000/v1; "
        "--model is its name there, --decode free (the default) or constrained",
    )
    group.add_argument(
        "--model-folder",
        metavar="DIR",
        help="the same model's folder as training wrote it, for label set, sections and limits, "
        "where --model is another name",
    )
    group.add_argument(
        "--server-kind", choices=KINDS, help="what the server is (default: auto, it is asked)"
    )
    group.add_argument(
        "--concurrency",
        type=positive,
        metavar="N",
        help="requests under way at the same time (default: 8)",
    )
    group.add_argument(
        "--server-timeout",
        type=positive,
        metavar="SECONDS",
        help="for one answer (default: 120)",
    )
    group.add_argument(
        "--allow-remote",
        action="store_true",
        default=None,
        help="allow a server on another machine: report text is sent there",
    )

    group.add_argument(
        "--prompt",
        choices=("labelwright", "almeida"),
        help="for entities: the label set's own (the default), or the few-shot prompt of a "
        "published benchmark (Almeida et al.)",
    )
    group.add_argument(
        "--price-in",
        type=_price,
        metavar="X",
        help="price of a million prompt tokens, in any currency; with --price-out every "
        "prediction and the manifest say what they cost",
    )
    group.add_argument(
        "--price-out", type=_price, metavar="X", help="price of a million completion tokens"
    )
    group.add_argument(
        "--answer-tokens",
        type=positive,
        metavar="N",
        help="that an answer may take (default: as the label set or the text needs); give more "
        "to models that reason before they answer",
    )


def _price(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("must be a price, 0 or more")
    return value


def refuse_server_flags(arguments: argparse.Namespace) -> None:
    """No flag is ignored in silence.

    Raises:
        ConfigError: one of :data:`FLAGS` is given without ``--server``.
    """
    _refuse(arguments, FLAGS, "is for --server")


def server_labeler(arguments: argparse.Namespace, others: Iterable[str]) -> ServerLabeler:
    """Connect to the server.

    Args:
        others: the flags for models in this process; none of them may be given.

    Raises:
        ConfigError: flags that cannot work.
        ServerError: the server does not answer, refuses, or has no such model.
    """
    from inference.server.labeler import ServerLabeler

    _refuse(arguments, [name for name in others if name != "decode"], "means nothing to a server")
    named: dict[str, Any] = {own: getattr(arguments, flag) for flag, own in FLAGS.items()}
    named |= {name: getattr(arguments, name) for name in ("label_set", "decode", "sections")}
    given: Mapping[str, Any] = {k: v for k, v in named.items() if v is not None}
    labeler = ServerLabeler.connect(arguments.server, arguments.model, **given)
    if labeler.address.warning:
        sys.stderr.write(f"labelwright: {labeler.address.warning}\n")
    return labeler


def _refuse(arguments: argparse.Namespace, flags: Iterable[str], why: str) -> None:
    given = [name for name in flags if getattr(arguments, name) is not None]
    if given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"{named} {why}", remedy="leave it out")
