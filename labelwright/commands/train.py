"""The commands that train: their short help, made of their flags, and the training itself.

A training's flags are read by its own parser, which needs its library and takes seconds; what it
takes of its own is declared without any.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.errors import ConfigError
from labelwright.options import Options, flag
from labelwright.text.sections import SECTION_CHOICES

if TYPE_CHECKING:
    from labelwright.runtime.arguments import TrainingFlags


@dataclass(frozen=True)
class Training:
    """One of them.

    Attributes:
        arguments: the module of its flags, and the name of their declaration there.
        main: the module whose function of this name trains.
    """

    arguments: str
    name: str
    main: str

    def flags(self) -> TrainingFlags:
        """What it takes."""
        found: Any = getattr(import_module(self.arguments), self.name)
        flags: TrainingFlags = getattr(found, "flags", found)
        return flags

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The help."""
        parser.usage = f"{parser.prog} [--config RECIPE] --data DIR --output_dir DIR [flags]"
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.epilog = self.flags().short_help()
        parser.add_argument(
            "--help-all",
            action="store_true",
            help="show every flag, those of the library too (takes seconds)",
        )

    def run(self, arguments: argparse.Namespace) -> int:
        """Train with the flags that the command line did not know itself."""
        main: Callable[[Sequence[str]], int] = import_module(self.main).main
        return main(["--help-all"] if arguments.help_all else arguments.rest)


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


class EncoderTraining(Training):
    """Trains an encoder with heads, or converts a released CheXbert."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The help, and the flags of the conversion."""
        super().add_arguments(parser)
        parser.epilog = f"{parser.epilog}{EPILOG}"
        ConvertOptions.add_flags(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Convert, or train with the flags that the command line did not know itself."""
        options = ConvertOptions.from_flags(arguments)
        if options.convert_pth is not None:
            return _convert(options.convert_pth, options, arguments.rest)
        options.refuse_idle()
        return super().run(arguments)


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


MODEL = Training("sft.arguments", "FLAGS", "sft.train")
ENCODER = EncoderTraining("baselines.encoder.arguments", "ENCODER", "baselines.encoder.train")
TAGGER = Training("baselines.tagger.arguments", "TAGGER", "baselines.tagger.train")
PRETRAIN = Training("baselines.pretrain.arguments", "PRETRAIN", "baselines.pretrain.train")
