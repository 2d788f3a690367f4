"""The flags of ``labelwright label`` for a model behind an OpenAI-compatible server."""

from __future__ import annotations

import argparse

from labelwright.commands.flags import positive

KINDS = ("auto", "vllm", "llama.cpp", "transformers", "openai")


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
