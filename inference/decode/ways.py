"""The ways of decoding by name, and the one that suits a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inference.decode.constrained import Constrained
from inference.decode.decoder import DecodeOptions, Decoder
from inference.decode.generate import Free
from inference.decode.one_pass import OnePass
from inference.load import Loaded
from labelwright.errors import CheckpointError
from labelwright.tasks.choices import BRANCHES, LINE


@dataclass(frozen=True)
class Decoding:
    """``layout`` is the answer layout that a model must have been trained on."""

    make: Callable[[Loaded, DecodeOptions], Decoder]
    layout: str


DECODINGS: Mapping[str, Decoding] = {
    "one-pass": Decoding(OnePass, BRANCHES),
    "constrained": Decoding(Constrained, LINE),
    "free": Decoding(Free, LINE),
}
"""The ways of decoding by the name that ``--decode`` takes."""

AUTO = "auto"
"""The first of one-pass and constrained that the model was trained for; free if it cannot be
read in packs."""


def decoder_for(loaded: Loaded, wanted: str, options: DecodeOptions) -> tuple[str, Decoder]:
    """The way of decoding and its name.

    Args:
        wanted: a name of :data:`DECODINGS` or ``auto``.

    Raises:
        CheckpointError: the model was not trained for it, or cannot be read so.
    """
    layouts = None if loaded.task is None else loaded.task.layouts
    if wanted != AUTO:
        layout = DECODINGS[wanted].layout
        if layouts is not None and layout not in layouts:
            raise CheckpointError(
                f"the model was not trained for --decode {wanted} (its answer layouts: "
                f"{', '.join(layouts)})",
                remedy=f"choose another way of decoding, or train with the layout {layout}",
                source=loaded.name,
            )
        if layouts is None and layout == BRANCHES:
            raise CheckpointError(
                f"--decode {wanted} needs a model that was trained for it, and this one brings "
                "no training record",
                remedy="use --decode constrained or free, or train the model on your labels",
                source=loaded.name,
            )
        return wanted, DECODINGS[wanted].make(loaded, options)
    name = "one-pass" if layouts is not None and BRANCHES in layouts else "constrained"
    try:
        return name, DECODINGS[name].make(loaded, options)
    except CheckpointError as error:
        if options.evidence is not None:
            raise CheckpointError(
                "the model cannot be read in packs, which evidence needs",
                remedy="label without --evidence",
                source=loaded.name,
            ) from error
        if layouts is not None and LINE not in layouts:
            raise
        return "free", Free(loaded, options)
