"""Which labelers there are, and what each of them can be told."""

from __future__ import annotations

from collections.abc import Mapping

RULES, KNN, DICTIONARY, SERVER = "rules", "knn", "dictionary", "server"
MODEL, ENCODER, TAGGER = "model", "encoder", "tagger"
WORDS = {
    RULES: "the rules",
    KNN: "--model knn",
    DICTIONARY: "--model dictionary",
    SERVER: "a model behind a server",
    MODEL: "a generative model",
    ENCODER: "an encoder",
    TAGGER: "a tagger",
}
"""The labelers in words, for messages."""

SHOWN = ("neighbours", "neighbour_words")
"""Settings of neighbours in prompts."""
CHOSEN = ("k", "neighbour_split", "most_similar", "image_column", "image_root")
"""Settings of which reports are neighbours."""
SERVED = {
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
"""Settings of a server, and what its labeler calls them."""
GENERATIVE = ("batch_tokens", "quantize", "deterministic", "long", "unit", "evidence")
WEIGHTS = ("device", "dtype", "batch_size")
HYBRID = "tagger"
"""The setting that names a tagger whose sentences alone are read."""

TAKES: Mapping[str, frozenset[str]] = {
    RULES: frozenset({"label_set", "rules"}),
    KNN: frozenset({"device", "index", *CHOSEN}),
    DICTIONARY: frozenset({"label_set", "threshold", "dictionary"}),
    SERVER: frozenset({"label_set", "decode", "server", "index", HYBRID, *SERVED, *SHOWN, *CHOSEN}),
    MODEL: frozenset(
        {"label_set", "decode", "index", HYBRID, *WEIGHTS, *GENERATIVE, *SHOWN, *CHOSEN}
    ),
    ENCODER: frozenset({"label_set", *WEIGHTS}),
    TAGGER: frozenset({"label_set", "threshold", *WEIGHTS}),
}
"""What each labeler can be told, beside :data:`COMMON`."""
COMMON = frozenset({"model", "sections", "calibration", "unchecked", "second_reader", "decide"})
SECONDS: Mapping[str, frozenset[str]] = {
    RULES: frozenset({"rules"}),
    KNN: frozenset({"index", *SHOWN, *CHOSEN}),
}
"""What is told to a second reader of a kind, and not to the first."""
