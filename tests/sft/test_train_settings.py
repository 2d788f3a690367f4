"""Flags, recipes and accelerate's files: all checked before anything is loaded."""

from __future__ import annotations

import importlib.util
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from labelwright import cli
from labelwright.errors import ConfigError, MissingExtraError
from sft.arguments import FLAGS, RECIPES, Settings, parse
from sft.train import script

ROOT = Path(__file__).parents[2]
BASE = ["--data", "records", "--output_dir", "out"]
SCRATCH = [*BASE, "--scratch", "tiny"]


def recipe(tmp_path: Path, text: str) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_recipe_is_accepted(path: Path) -> None:
    settings = parse(["--config", path.stem, *BASE])
    assert settings.recipe == str(path)
    assert path.read_text(encoding="utf-8").startswith("#")


def test_the_papers_recipe_has_the_papers_numbers() -> None:
    """Abdullah et al. 2025: Qwen1.5-0.5B, batch 2, accumulation 2, 5 epochs, lr 1e-4, Adam.

    The answer is generated as text, so only the line is taught.
    """
    settings = parse(["--config", "abdullah2025", *BASE])
    sft = settings.training
    assert settings.model.model_name_or_path == "Qwen/Qwen1.5-0.5B"
    assert (sft.per_device_train_batch_size, sft.gradient_accumulation_steps) == (2, 2)
    assert (sft.num_train_epochs, sft.learning_rate, sft.weight_decay) == (5, 1e-4, 0)
    assert "adamw" in sft.optim
    assert settings.task.layout == "line"


def test_a_flag_wins_over_the_recipe(tmp_path: Path) -> None:
    path = recipe(tmp_path, "learning_rate: 1e-3\nscratch: tiny\nmax_length: null\n")
    assert parse(["--config", path, *BASE]).training.learning_rate == 1e-3
    assert (
        parse([f"--config={path}", *BASE, "--learning_rate", "1e-5"]).training.learning_rate == 1e-5
    )
    assert parse(["--learning-rate=2e-5", "--config", path, *BASE]).training.learning_rate == 2e-5


def test_a_start_on_the_command_line_replaces_the_recipes() -> None:
    settings = parse(["--config", "scratch-cpu", *BASE, "--model_name_or_path", "folder"])
    assert (settings.model.model_name_or_path, settings.task.scratch) == ("folder", None)
    settings = parse(["--config", "abdullah2025", *BASE, "--scratch=small"])
    assert (settings.model.model_name_or_path, settings.task.scratch) == (None, "small")


def test_one_recipe_fits_the_cpu_without_further_flags() -> None:
    import torch

    sft = parse(SCRATCH).training
    assert sft.use_cpu is not torch.accelerator.is_available()
    assert sft.bf16 is (torch.cuda.is_available() and torch.cuda.is_bf16_supported())
    assert sft.report_to == ["tensorboard"]
    assert not sft.push_to_hub


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer that says it has GPUs."""
    import torch

    parse(SCRATCH)  # imports all that looks at the computer when it is imported
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("flags", [["--use_cpu"], ["--use-cpu", "true"], ["--use_cpu=True"]])
def test_the_cpu_of_a_computer_with_a_gpu_trains_as_any_other(flags: list[str]) -> None:
    sft = parse([*SCRATCH, *flags]).training
    assert (sft.use_cpu, sft.bf16, sft.device.type) == (True, False, "cpu")
    with pytest.raises(ConfigError, match="needs a GPU"):
        parse([*SCRATCH, *flags, "--optim", "adamw_8bit"])


def test_several_gpus_need_a_process_each(monkeypatch: pytest.MonkeyPatch) -> None:
    from trl import SFTConfig

    monkeypatch.setattr(SFTConfig, "n_gpu", 4)
    with pytest.raises(ConfigError, match=r"4 GPUs.*accelerate launch"):
        parse(SCRATCH)


BAD_RECIPES = {
    "unknown key": ("\nlearnin_rate: 1e-4\n", "2: .*did you mean 'learning_rate'"),
    "wrong kind": ("num_train_epochs: five\n", "epochs: invalid float value"),
    "wrong choice": ("on_long: dorp\n", "on-long: invalid choice"),
    "twice": ("seed: 1\nseed: 2\n", "'seed' appears twice"),
    "no mapping": ("- seed\n", "a recipe is a mapping"),
    "no YAML": ("seed: [1\n", "not valid YAML"),
    "old name": ("gradient_checkpointing: true\n", "write activation_checkpointing"),
    "decided here": ("completion_only_loss: false\n", "loss is always on the answer only"),
    "foreign code": ("trust_remote_code: true\n", "never run"),
}


@pytest.mark.parametrize("name", BAD_RECIPES)
def test_bad_recipes(name: str, tmp_path: Path) -> None:
    text, message = BAD_RECIPES[name]
    with pytest.raises(ConfigError, match=message):
        parse(["--config", recipe(tmp_path, text), *SCRATCH])


BAD_FLAGS = {
    "unknown": ([*SCRATCH, "--lerning_rate", "1"], "did you mean --learning_rate"),
    "abbreviated": ([*SCRATCH, "--learning", "1"], "unknown flag --learning"),
    "stray word": ([*SCRATCH, "word"], "unknown flag word"),
    "wrong kind": ([*SCRATCH, "--seed", "x"], "seed: invalid int value"),
    "no recipe": (["--config", "nope", *SCRATCH], "no recipe 'nope'; .*scratch-cpu"),
    "no recipe name": (["--config"], "--config without a file"),
    "no data": (["--output_dir", "o", "--scratch", "tiny"], "give --data DIR"),
    "no output": (["--data", "d", "--scratch", "tiny"], "give --output_dir DIR"),
    "no start": (BASE, "exactly one start"),
    "two starts": ([*SCRATCH, "--model_name_or_path", "m"], "exactly one start"),
    "quantised": ([*BASE, "--model_name_or_path", "m", "--load_in_4bit"], "add --use_peft"),
    "merge": ([*SCRATCH, "--merge"], "no adapter to merge"),
    "frozen": ([*SCRATCH, "--freeze_embeddings"], "freeze_embeddings cannot be set: random ones"),
    "muon": ([*BASE, "--model_name_or_path", "m", "--use_peft", "--muon"], "needs whole matrices"),
    "packing": ([*SCRATCH, "--packing", "--packing_strategy", "wrapped"], "use bfd"),
    "metrics": ([*SCRATCH, "--report_to", "nowhere"], "use one of: tensorboard, wandb, trackio"),
    "resume": ([*SCRATCH, "--resume_from_checkpoint", "x"], "use --resume"),
}


@pytest.mark.parametrize("name", BAD_FLAGS)
def test_bad_flags(name: str) -> None:
    flags, message = BAD_FLAGS[name]
    with pytest.raises(ConfigError, match=message):
        parse(flags)


@pytest.mark.parametrize(
    "flags",
    [
        ["--fp16", "true"],
        ["--tf32", "true"],
        ["--optim", "adamw_8bit"],
        ["--attn_implementation", "flash_attention_2", "--layout", "line"],
    ],
)
def test_settings_for_gpus_on_the_cpu(flags: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    with pytest.raises(ConfigError, match=r"GPU|cpu|CPU"):
        parse([*SCRATCH, *flags])


BRANCHLESS = [
    ["--packing"],
    ["--padding_free", "true"],
    ["--loss_type", "dft"],
    ["--label_smoothing_factor", "0.1"],
    ["--attn_implementation", "flash_attention_2"],
]


@pytest.mark.parametrize("flags", BRANCHLESS, ids=lambda flags: flags[0])
@pytest.mark.parametrize("layout", ["branches", "both"])
def test_what_branches_cannot_be_trained_with(
    flags: list[str], layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sft.arguments.on_cpu", lambda: False)
    monkeypatch.setattr("sft.arguments._check_cpu", lambda *_: None)
    with pytest.raises(ConfigError, match="cannot be used with branches; add --layout line"):
        parse([*SCRATCH, *flags, "--layout", layout])
    assert parse([*SCRATCH, *flags, "--layout", "line"]).task.layout == "line"


def test_both_layouts_are_the_default_and_others_unknown() -> None:
    assert parse(SCRATCH).task.layout == "both"
    with pytest.raises(ConfigError, match="layout"):
        parse([*SCRATCH, "--layout", "tree"])


def test_metrics_go_nowhere_or_need_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse([*SCRATCH, "--report_to", "none"]).training.report_to == []
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *rest: None if n == "wandb" else find(n, *rest)
    )
    with pytest.raises(MissingExtraError, match=r"wandb.*pip install -e '\.\[tracking\]'"):
        parse([*SCRATCH, "--report_to", "wandb"])


FILES = [ROOT / "accelerate_config.yaml", *sorted(ROOT.glob("sft/accelerate_configs/*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_accelerate_reads_its_files(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(path))
    name = path.stem
    wanted = 1 if name == "gpu-1" else 2 if name == "cpu-2" else 4
    assert config.num_processes == wanted
    assert config.use_cpu is (name == "cpu-2")


def test_help_answers_at_once_and_names_real_flags() -> None:
    code = (
        "import sys, labelwright.cli as c\n"
        "for name in ('train', 'train-encoder', 'train-tagger', 'pretrain'):\n"
        "    try: c.main([name, '--help'])\n"
        "    except SystemExit: pass\n"
        "assert not {'trl', 'torch', 'transformers', 'numpy'} & set(sys.modules)"
    )
    began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began
    assert spent < 3, "a third of a second of CPU time"
    for flag in ("--on_long error|drop|cut", "--init_from DIR", "--scheme BIO|IO|BIOES", "--rate"):
        assert flag in shown.stdout
    everything = FLAGS.full_help()
    for word in FLAGS.short_help().replace(",", " ").split():
        if word.startswith("--") and word not in ("--config", "--config_file"):
            assert word in everything, word


def test_settings_hold_what_was_asked() -> None:
    settings = parse([*SCRATCH, "--on-long", "cut", "--resume", "never", "--dry-run"])
    assert isinstance(settings, Settings)
    task = settings.task
    assert (task.on_long, task.resume, task.dry_run, task.scratch) == ("cut", "never", True, "tiny")


def test_the_command_passes_flags_on_and_shows_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["train", *SCRATCH, "--lerning_rate", "1"]) == 2
    assert capsys.readouterr().err == (
        "labelwright: unknown flag --lerning_rate; did you mean --learning_rate?\n"
    )
    with pytest.raises(SystemExit) as stop:
        cli.main(["label-set", "list", "--nope"])
    assert stop.value.code == 2


def test_the_launcher_of_several_processes_is_told_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """torch's launcher ends its report with what this file says; without it with <N/A>."""
    file = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(file))
    monkeypatch.setenv("RANK", "1")
    flags = ["--scratch=tiny", "--data", str(tmp_path / "none"), "--output_dir", str(tmp_path)]
    assert script(flags) == 2
    said = json.loads(file.read_text(encoding="utf-8"))
    assert said["message"].startswith("labelwright: ")
    assert said["message"].endswith("no such data folder; make it with labelwright build")
    assert int(said["timestamp"]) > 0
    assert "labelwright:" not in capsys.readouterr().err  # of several processes the first speaks
