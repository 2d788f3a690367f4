"""``labelwright train-encoder``: train an encoder with heads, or convert a released CheXbert."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labelwright.commands.train import ENCODER
from labelwright.errors import ConfigError
from labelwright.options import Options, flag
from labelwright.text.sections import SECTION_CHOICES

LABEL_SET = "chexpert-14"
TOKENIZER = "bert-base-uncased"
SECTIONS = "impression"

EPILOG = f"""

released weights of CheXbert
  --convert-pth FILE --out DIR [--tokenizer DIR|NAME] [--label-set NAME|FILE] [--sections PART]
                              read the .pth once, in a process of its own without network and
                              with torch's weights-only reader, and write a safetensors folder
                              for labelwright label --model DIR. The file brings no vocabulary:
                              --tokenizer names that of {TOKENIZER} (the default: from the hub)
"""


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(Options):
    """What the conversion takes."""

    convert_pth: Path | None = flag(argparse.SUPPRESS, type=Path, metavar="FILE")
    out: Path | None = flag(argparse.SUPPRESS, beside="convert_pth", type=Path, metavar="DIR")
    tokenizer: str | None = flag(argparse.SUPPRESS, beside="convert_pth", metavar="DIR|NAME")
    label_set: str | None = flag(argparse.SUPPRESS, beside="convert_pth", metavar="NAME|FILE")
    sections: str | None = flag(argparse.SUPPRESS, beside="convert_pth", choices=SECTION_CHOICES)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The conversion's flags and the help; :mod:`baselines.encoder.arguments` has the others."""
    ENCODER.add_arguments(parser)
    parser.epilog = f"{parser.epilog}{EPILOG}"
    ConvertOptions.add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Convert, or train with the flags that the command line did not know itself."""
    options = ConvertOptions.from_flags(arguments)
    if options.convert_pth is not None:
        return _convert(options.convert_pth, options, arguments.rest)
    options.refuse_idle()
    return ENCODER.run(arguments)


def _convert(weights: Path, options: ConvertOptions, rest: Sequence[str]) -> int:
    if options.out is None:
        raise ConfigError("no folder for the converted model", remedy="give --out DIR")
    if rest:
        raise ConfigError(f"{rest[0]} does not apply to --convert-pth", remedy="remove it")
    from baselines.chexbert.weights import convert
    from labelwright.label_set import LabelSet

    convert(
        weights,
        options.out,
        label_set=LabelSet.load(options.label_set or LABEL_SET),
        tokenizer=options.tokenizer or TOKENIZER,
        sections=options.sections or SECTIONS,
    )
    return 0
