"""The commands that train: their short help, made of their flags, and the training itself.

A training's flags are read by its own parser, which needs its library and takes seconds; what it
takes of its own is declared without any.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

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


MODEL = Training("sft.arguments", "FLAGS", "sft.train")
ENCODER = Training("baselines.encoder.arguments", "ENCODER", "baselines.encoder.train")
TAGGER = Training("baselines.tagger.arguments", "TAGGER", "baselines.tagger.train")
PRETRAIN = Training("baselines.pretrain.arguments", "PRETRAIN", "baselines.pretrain.train")
