"""``labelwright train``: the flags of ``sft/train.py``, with a help that answers at once."""

from __future__ import annotations

import argparse

from labelwright.commands.flags import add_training_help

EPILOG = """\
flags (a recipe holds the same names; a flag wins over the recipe)
  --config RECIPE             a YAML file, or a shipped one: abdullah2025, labelwright-chest,
                              qwen2.5-0.5b-lora, qwen2.5-0.5b-qlora, scratch-cpu,
                              almeida2025-generative, aprilia2025-generative
  --data DIR                  folder that labelwright build wrote
  --output_dir DIR            where the model, its checkpoints and its manifest go
  --model_name_or_path MODEL  local model folder, or a name on the hub
  --scratch tiny|compact|small
                              instead: a model with random weights (0.6, 1.8 or 4.8 million)
  --layout line|branches|both what the model learns to answer: the whole line, each observation
                              by itself, or (default) both; labeling is fastest with branches;
                              entities are learned in lines only
  --unit report|sentence      what labeling shall read at once (default: as the model it starts
                              from, else report); sentences suit small models that saw short
                              records (build --brief)
  --dry-run                   show three examples with their loss mask, counts, memory; stop
  --resume auto|never|PATH    auto (default): go on from the last checkpoint of the same run
  --on-long error|drop|cut    records longer than the context: stop (default), drop, or cut
                              the report's end; dropped and cut records are counted
  --max_length N              longest record in tokens (default: the model's context)
  --new-label-set             go on from a model that was trained on another label set
  --use_peft                  train a LoRA adapter; with --load_in_4bit QLoRA
  --merge                     also save adapter and base as one model, in OUTPUT_DIR/merged
  --learning_rate, --num_train_epochs, --per_device_train_batch_size,
  --gradient_accumulation_steps, --packing, --eval_strategy, --save_steps, --seed, …
                              every setting of TRL's SFTConfig and ModelConfig
  --report_to tensorboard|none|wandb|trackio
                              where metrics go (default: TensorBoard files in OUTPUT_DIR)

Several GPUs: accelerate launch --config_file accelerate_config.yaml sft/train.py [flags]
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The help; the flags themselves are read by :mod:`sft.arguments`, which needs TRL."""
    add_training_help(
        parser,
        EPILOG,
        "show every flag, TRL's included (takes seconds)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train with the flags that the command line did not know itself."""
    from sft.train import main

    return main(["--help-all"] if arguments.help_all else arguments.rest)
