"""Grids as files: cells, steps that cells share, mistakes named before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labelwright.cli import main
from labelwright.commands.grid.file import Grid, given_flags, read_grid
from labelwright.commands.grid.run import Folder
from labelwright.commands.grid.steps import Run, plan, words_of
from labelwright.errors import ConfigError, OutputError

TEXT = """\
name: a grid
build: {label-set: disease-1, split: "0.6,0.2,0.2"}
train: {scratch: tiny, num_train_epochs: 2}
pseudo: {min-prob: 0.5}
axes:
  weights:
    none: {}
    plain: {train: {class-weights: plain}}
  split:
    random: {build: {stratify: none}}
    stratified: {}
  threshold:
    tuned: {}
    0.3: {label: {threshold: 0.3}}
"""
ROUNDS = """\
  notes:
    labeled: {}
    more: {pseudo: {rounds: 2}}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "grid.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def runs_of(grid: Grid, *flags: str, seeds: tuple[int, ...] = (1, 2)) -> list[Run]:
    cells = grid.cells(only={}, given=given_flags(flags))
    return plan(grid, cells, files=["notes.jsonl"], unlabeled=["more.jsonl"], seeds=seeds)


def test_cells_are_all_combinations_in_order(tmp_path: Path) -> None:
    grid = read_grid(write(tmp_path, TEXT))
    names = [cell.name for cell in grid.cells(only={}, given={})]
    assert len(names) == 2 * 2 * 2
    assert names[0] == "weights=none, split=random, threshold=tuned"
    assert names[-1] == "weights=plain, split=stratified, threshold=0.3"
    some = [c.name for c in grid.cells(only={"threshold": ["0.3"], "split": ["random"]}, given={})]
    assert some == [
        "weights=none, split=random, threshold=0.3",
        "weights=plain, split=random, threshold=0.3",
    ]


def test_cells_share_what_their_options_do_not_change(tmp_path: Path) -> None:
    """Two splits, no seed: 2 builds. Times 2 weights and 2 seeds: 8 models. 2 thresholds: 16."""
    runs = runs_of(read_grid(write(tmp_path, TEXT)))
    steps = {step.folder: step for run in runs for step in run.steps}
    commands = [step.command for step in steps.values()]
    assert [commands.count(c) for c in ("build", "train-tagger", "label")] == [2, 8, 16]
    assert sum(folder.startswith("models/") for folder in steps) == 8
    last = runs[-1].steps
    assert [step.folder for step in last] == [
        "data/split=stratified",
        "models/weights=plain+split=stratified+seed=2",
        "runs/weights=plain+split=stratified+threshold=0.3+seed=2",
    ]
    assert last[1].command_line(Path("out")) == [
        "train-tagger",
        "--scratch=tiny",
        "--num_train_epochs=2",
        "--class_weights=plain",
        "--seed=2",
        "--data=out/data/split=stratified",
        "--output_dir=out/models/weights=plain+split=stratified+seed=2",
    ]
    assert last[2].command_line(Path("out"))[1:3] == [
        "out/data/split=stratified/test.reports.jsonl",
        "--threshold=0.3",
    ]


def test_a_new_split_for_each_seed(tmp_path: Path) -> None:
    runs = runs_of(read_grid(write(tmp_path, TEXT + "new_split_per_seed: true\n")))
    builds = {s.folder: s for run in runs for s in run.steps if s.command == "build"}
    assert len(builds) == 4
    assert builds["data/split=random+seed=2"].words[-1] == "--seed=2"


def test_rounds_of_pseudo_labels(tmp_path: Path) -> None:
    grid = read_grid(write(tmp_path, TEXT + ROUNDS))
    run = runs_of(grid, "pseudo.start=continue")[-1]
    assert [step.command for step in run.steps] == [
        *("build", "train-tagger"),
        *("label", "pseudo-label", "train-tagger") * 2,
        "label",
    ]
    first, second, third = run.models
    places = dict(run.steps[-2].places)
    assert (places["--init_from"], places["--output_dir"]) == (second, third)
    assert not any("scratch" in word for word in run.steps[-2].words)
    assert dict(run.steps[5].places)["--model"] == second
    assert dict(run.steps[-1].places)["--model"] == third
    assert "round" not in first
    assert run.data == "data/split=stratified"
    assert run.steps[3].words == ("more.jsonl", "--min-prob=0.5")


def test_flags_given_win_and_replace_the_start(tmp_path: Path) -> None:
    grid = read_grid(write(tmp_path, TEXT))
    run = runs_of(grid, "train.model_name_or_path=minilm", "train.num-train-epochs=7")[0]
    words = run.steps[1].words
    assert "--model_name_or_path=minilm" in words
    assert "--num_train_epochs=7" in words
    assert not any(word.startswith("--scratch") for word in words)


def test_names_too_long_for_a_folder(tmp_path: Path) -> None:
    grid = read_grid(write(tmp_path, TEXT.replace("plain:", f"{'x' * 240}:")))
    with pytest.raises(ConfigError, match="shorten axes or options"):
        runs_of(grid)


def test_values_as_words() -> None:
    flags = {"with_empty": True, "quiet": False, "rename_type": ["A=B", "C=D"], "n": 0.5}
    assert words_of(flags) == ("--with-empty", "--rename-type=A=B", "--rename-type=C=D", "--n=0.5")
    assert words_of({"bf16": True, "betas": [1, 2]}, training=True) == (
        *("--bf16=true", "--betas", "1", "2"),
    )


MISTAKES = {
    "no mapping": ("- a\n", "a grid is a mapping"),
    "unknown key": (TEXT + "axis: {}\n", "grid.yaml:15: .*did you mean 'axes'"),
    "unknown stage": (TEXT.replace("{label: {", "{labels: {"), "did you mean 'label'"),
    "no axes": ("name: x\n", "needs axes"),
    "no name": (TEXT.replace("name: a grid\n", ""), "needs a name"),
    "yes": (TEXT.replace("random:", "no:"), "grid.yaml:9: .*into quotes"),
    "two axes": (TEXT.replace("{stratify: none}}", "{stratify: none}, train: {class_weights: x}}"),
                 "axis 'weights' sets train 'class_weights' too"),
    "its own flag": (TEXT.replace("scratch: tiny,", "scratch: tiny, seed: 3,"), "gives 'seed'"),
    "seed twice": (TEXT + "seeds: [1, 1]\n", "different whole numbers"),
    "no seed": (TEXT + "seeds: []\n", "different whole numbers"),
    "split seed": (
        TEXT.replace("build: {", "build: {seed: 1, ") + "new_split_per_seed: true\n",
        "remove one of them",
    ),
    "empty flag": (TEXT.replace("{class-weights: plain}", "{class-weights: }"), "needs a value"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_the_file(name: str, tmp_path: Path) -> None:
    text, words = MISTAKES[name]
    with pytest.raises(ConfigError, match=words) as caught:
        read_grid(write(tmp_path, text))
    assert "\n" not in caught.value.line()


FLAGS = {
    "unknown flag": ("build.lable-set=x", "labelwright build: unknown flag --lable-set"),
    "unknown training flag": ("train.learnin_rate=1", "did you mean --learning_rate"),
    "wrong value": ("build.oversample=often", "labelwright build: .*invalid choice"),
    "wrong training value": ("train.scheme=XYZ", "scheme: invalid choice"),
    "no stage": ("split=1", "write STAGE.FLAG=VALUE"),
    "its own": ("train.output_dir=x", "gives this flag itself"),
    "rounds": ("pseudo.rounds=many", "not a number from 0 to 9"),
    "start": ("pseudo.start=warm", "write fresh or continue"),
}


@pytest.mark.parametrize("name", FLAGS)
def test_mistakes_in_flags_show_before_anything_runs(name: str, tmp_path: Path) -> None:
    flag, words = FLAGS[name]
    with pytest.raises(ConfigError, match=words):
        runs_of(read_grid(write(tmp_path, TEXT)), flag)


COMMANDS = {
    "no grid": (["no-such"], "no grid 'no-such'; give a YAML file or one of: almeida2025, "),
    "only": (["GRID", "n", "--only", "colour=red"], "no 'colour'; choose of: weights, split"),
    "only option": (["GRID", "n", "--only", "split=even"], "choose of: random, stratified"),
    "only form": (["GRID", "n", "--only", "split"], "write AXIS=A,B"),
    "seeds": (["GRID", "n", "--seeds", "1,x"], "--seeds '1,x': each must be a whole number"),
    "files": (["GRID"], "no annotated notes"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_mistakes_on_the_command_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, said = COMMANDS[name]
    path = str(write(tmp_path, TEXT))
    words = [path if word == "GRID" else word for word in words]
    assert main(["grid", *words, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_dry_run_counts_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = write(tmp_path, TEXT), tmp_path / "out"
    assert main(["grid", str(path), "n", "--seeds=1,2", "--dry-run", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "weights=none, split=random, threshold=tuned, seed 1: " + ", ".join(
        ["build", "train-tagger", "label"]
    )
    assert lines[-1] == "8 cells, 16 runs; to do: 2 build, 8 train-tagger, 16 label"
    assert not out.exists()


def test_other_files_in_the_folder_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("x")
    path = write(tmp_path, TEXT)
    assert main(["grid", str(path), "n", "--out", str(tmp_path / "out")]) == 2
    assert "the folder holds other files" in capsys.readouterr().err


def plan_untrained(path: Path) -> list[Run]:
    grid = read_grid(path)
    return plan(grid, grid.cells(only={}, given={}), files=[], unlabeled=[], seeds=[1])


UNTRAINED = """\
name: ways
page: eval
build: {label-set: chexpert-14, synthetic: 40}
axes:
  way:
    rules: {train: {with: none}, label: {model: rules}}
    model: {train: {with: language-model, config: scratch-cpu}}
"""


def test_cells_without_a_training_name_what_labels(tmp_path: Path) -> None:
    rules, model = plan_untrained(write(tmp_path, UNTRAINED))
    assert rules.steps[-1].command_line(Path("o"))[2:] == [
        "--model=rules",
        f"--out=o/{rules.folder}",
    ]
    assert [step.command for step in model.steps] == ["build", "train", "label"]
    assert rules.models == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{with: none}, label: {model: rules}", "{with: none}", "either trains a model or names"),
        ("{with: none}, label", "{with: tagger, scratch: tiny}, label", "either trains a model"),
        ("with: none", "with: nothing", "train with 'nothing' is unknown"),
        ("page: eval", "page: none", "page 'none' is unknown; write grid or eval"),
        (", synthetic: 40", "", "no annotated notes"),
        ("config: scratch-cpu", "config: scratch-cpu, learnin_rate: 1", "learnin_rate"),
    ],
)
def test_mistakes_of_cells_without_a_training(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in UNTRAINED
    path = write(tmp_path, UNTRAINED.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        plan_untrained(path)


PRETRAINED = """\
name: a grid
build: {label-set: disease-1}
train: {scratch: tiny}
axes:
  start:
    plain: {}
    words: {pretrain: {objective: mlm, num_train_epochs: 3}}
    entities: {pretrain: {objective: emlm, model_name_or_path: other}}
  notes:
    labeled: {}
    more: {train: {pseudo_weight: 0.5}, pseudo: {rounds: 1}}
cells:
  base: {start: plain, notes: labeled}
  both: {start: words, notes: more}
  last: {start: entities, notes: labeled}
"""


def test_cells_that_are_named_and_pretrained(tmp_path: Path) -> None:
    """Only those, in their order; an encoder starts where the training would have, reads the
    unlabeled notes where any text will do, and is where every training of the cell starts."""
    grid = read_grid(write(tmp_path, PRETRAINED))
    runs = runs_of(grid, seeds=(1,))
    assert [grid.name_of(run.cell.options) for run in runs] == ["base", "both", "last"]
    assert [[s.command for s in run.steps] for run in runs] == [
        ["build", "train-tagger", "label"],
        ["build", "pretrain", "train-tagger", "label", "pseudo-label", "train-tagger", "label"],
        ["build", "pretrain", "train-tagger", "label"],
    ]
    lines = [[s.command_line(Path("out")) for s in run.steps] for run in runs]
    before, first, second = (lines[1][n] for n in (1, 2, 5))
    assert {"--objective=mlm", "--scratch=tiny", "--texts", "more.jsonl", "--seed=1"} < {*before}
    encoder = "--model_name_or_path=out/encoders/start=words+seed=1"
    assert encoder in first
    assert encoder in second
    assert "--scratch=tiny" not in [*first, *second]
    assert ("--pseudo_weight=0.5" in first, "--pseudo_weight=0.5" in second) == (False, True)
    assert "--model_name_or_path=other" in lines[2][1]
    assert "--texts" not in lines[2][1]
    assert runs[1].models[0] == "encoders/start=words+seed=1"
    assert [c.name for c in grid.cells(only={"start": ["words"]}, given={})] == [
        "start=words, notes=more"
    ]
    with pytest.raises(ConfigError, match="no cell of these options"):
        list(grid.cells(only={"start": ["words"], "notes": ["labeled"]}, given={}))


def test_the_shipped_grid_of_seven_rows() -> None:
    """Each row of the table is a cell, and every other option of a cell is that of its control."""
    grid = read_grid("francis2025")
    given = given_flags(["train.scratch=tiny"])
    cells = {grid.name_of(c.options): c.options for c in grid.cells(only={}, given=given)}
    assert list(cells) == [
        *("FT", "FT-FS", "FT-FS-PL", "MLM-FT-FS-PL"),
        *("EMLM-FT", "EMLM-FT-FS-PL", "EMLM-CL-FT-FS-PL"),
    ]
    for name, control in (("EMLM-FT", "FT"), ("MLM-FT-FS-PL", "FT-FS-PL"), ("FT-FS", "FT")):
        different = [a for a in cells[name] if cells[name][a] != cells[control][a]]
        assert len(different) == 1
    runs = plan(
        grid,
        grid.cells(only={}, given=given),
        files=["examples/letters_nl.jsonl"],
        unlabeled=["examples/letters_nl_unlabeled.jsonl"],
        seeds=(1,),
    )
    assert len({step.folder for run in runs for step in run.steps}) == 30


def test_a_step_that_was_deleted_may_have_other_flags(tmp_path: Path) -> None:
    """One that is still there may not."""
    folder, (step, *_) = Folder(tmp_path), runs_of(read_grid(write(tmp_path, TEXT)))[0].steps
    (tmp_path / "notes.jsonl").touch()
    folder.begin(step)
    other = replace(step, words=(*step.words, "--preview=3"))
    folder.check([other])
    (tmp_path / step.folder).mkdir(parents=True)
    with pytest.raises(OutputError, match="made with other flags: --preview=3"):
        folder.check([other])


def test_the_shipped_grid_of_single_parts() -> None:
    """Each row differs from fine-tuning alone in one thing; pseudo-labels share its model. A flag
    of the file can be taken away, here for notes whose split is known.
    """
    grid = read_grid("francis2025-parts")
    files = ("build.split=null", "build.split-file=split.csv", "build.label-set=disease-1")
    given = given_flags([*files, "train.scratch=tiny"])
    cells = list(grid.cells(only={"sections": ["none"]}, given=given))
    rows = {grid.name_of(cell.options): cell.options for cell in cells}
    assert list(rows) == ["FT", "FT-RD", "FT-PL", "MLM-FT", "EMLM-FT", "EMLM-CL-FT"]
    for options in list(rows.values())[1:]:
        assert sum(options[axis] != rows["FT"][axis] for axis in options) == 1
    runs = plan(grid, cells, files=["a.jsonl"], unlabeled=["b.jsonl"], seeds=(1,))
    assert set(runs[0].steps[0].words) == {
        *("a.jsonl", "--split-file=split.csv", "--label-set=disease-1"),
    }
    assert runs[0].models[0] == runs[2].models[0]
    # build 1, FT and FT-RD 2 each, FT-PL 4 more, the others 3 each
    assert len({step.folder for run in runs for step in run.steps}) == 18


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("{base: {start: plain}}", "names an option of each axis: start, notes"),
        ("{base: {start: plane, notes: more}}", "start has no such option"),
        ("{a: {start: plain, notes: more}, b: {start: plain, notes: more}}", "appears twice"),
        ("[]", "cells are a mapping"),
    ],
)
def test_mistakes_in_named_cells(cells: str, message: str, tmp_path: Path) -> None:
    text = PRETRAINED[: PRETRAINED.index("cells:")] + f"cells: {cells}\n"
    with pytest.raises(ConfigError) as caught:
        read_grid(write(tmp_path, text))
    assert message in caught.value.line()
