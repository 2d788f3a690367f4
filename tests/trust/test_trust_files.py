"""No file that a user is given can run code: pickles, model folders with code, YAML tags."""

from __future__ import annotations

import ast
import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from inference.labeler import Labeler
from labelwright.cli import main
from labelwright.errors import CheckpointError

ROOT = Path(__file__).parents[2]
PACKAGES = ("labelwright", "baselines", "data_builders", "eval", "inference", "sft")
UNPICKLER = Path("baselines/chexbert/unpickle.py")
"""The one place that reads a pickle, by torch's weights-only reader in a process of its own."""


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


CODE_RUNNERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve"} | {
    "joblib", "jsonpickle", "code", "runpy", "imp",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load"} | {
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "numpy.load", "np.load",
    "tempfile.mktemp", "pandas.read_pickle",
}  # fmt: skip
XML_ALLOWED = {"Element", "ParseError"}
"""Names of a type and an error; what parses is defusedxml."""


def test_no_module_imports_what_runs_code_from_files() -> None:
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    assert alias.name.partition(".")[0] not in {*CODE_RUNNERS, "xml"}, path
            if isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.partition(".")[0] not in CODE_RUNNERS, path
                if node.module.partition(".")[0] == "xml":
                    assert {alias.name for alias in node.names} <= XML_ALLOWED, path


def test_no_module_calls_what_runs_code_from_files() -> None:
    loads = []
    for path, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            words = {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert name not in CALLS, f"{path}:{node.lineno} calls {name}"
            assert words.get("shell") in (None, "False"), path
            assert words.get("allow_pickle") in (None, "False"), path
            assert words.get("trust_remote_code") in (None, "False"), path
            if name.startswith("Auto") and name.endswith(".from_pretrained"):
                assert "trust_remote_code" in words or None in words, f"{path}:{node.lineno}"
            if name.endswith("torch.load"):
                loads.append(path)
                assert words["weights_only"] == "True"
    assert loads == [UNPICKLER]


class Evil:
    """A pickle that makes a file when it is read, as any pickle may."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.flag), "w")


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """Not there as long as nothing planted was run."""
    return tmp_path / "was-run"


@pytest.fixture
def model(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of a good model folder, to plant something in."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))


def plant_pickle(path: Path, flag: Path) -> None:
    """A file in torch's format that runs code for a careless reader; that it does is tried."""
    torch.save({"weights": Evil(flag)}, path)
    torch.load(path, weights_only=False)["weights"].close()
    assert flag.exists()
    flag.unlink()


def plant_code(folder: Path, flag: Path, *, architecture: str | None) -> None:
    """Modules that a model folder's ``auto_map`` names, for model, config and tokenizer."""
    code = f"open({str(flag)!r}, 'w').close()\n"
    for name in ("modeling_evil.py", "configuration_evil.py", "tokenization_evil.py"):
        (folder / name).write_text(code + "class Evil: pass\n")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {
        "AutoConfig": "configuration_evil.Evil",
        "AutoModelForCausalLM": "modeling_evil.Evil",
        "AutoModel": "modeling_evil.Evil",
    }
    if architecture is not None:
        config["model_type"] = architecture
    (folder / "config.json").write_text(json.dumps(config))
    settings = folder / "tokenizer_config.json"
    tokenizer = json.loads(settings.read_text())
    tokenizer["auto_map"] = {"AutoTokenizer": ["tokenization_evil.Evil", None]}
    settings.write_text(json.dumps(tokenizer))


NAMES = ["pytorch_model.bin", "model.pt", "model.pkl", "adapter_model.bin", "training_args.bin"]


@pytest.mark.parametrize("name", NAMES)
def test_pickles_beside_good_weights_are_not_read(model: Path, flag: Path, name: str) -> None:
    plant_pickle(model / name, flag)
    assert Labeler.from_checkpoint(model).label(["No edema."])[0].labels
    assert not flag.exists()


@pytest.mark.parametrize("name", NAMES)
def test_pickled_weights_are_refused(model: Path, flag: Path, name: str) -> None:
    (model / "model.safetensors").unlink()
    plant_pickle(model / name, flag)
    with pytest.raises(CheckpointError, match="no weights in safetensors format"):
        Labeler.from_checkpoint(model)
    assert not flag.exists()


def test_pickled_adapters_are_refused(model: Path, flag: Path, tiny_checkpoint: Path) -> None:
    (model / "model.safetensors").unlink()
    plant_pickle(model / "adapter_model.bin", flag)
    config = {"peft_type": "LORA", "base_model_name_or_path": str(tiny_checkpoint)}
    (model / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"has no adapter_model\.safetensors"):
        Labeler.from_checkpoint(model)
    assert not flag.exists()


def test_a_pickle_named_safetensors_is_refused(model: Path, flag: Path) -> None:
    plant_pickle(model / "pickle", flag)
    (model / "pickle").rename(model / "model.safetensors")
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        Labeler.from_checkpoint(model)
    assert not flag.exists()


def test_code_of_a_model_folder_is_not_run(model: Path, flag: Path) -> None:
    plant_code(model, flag, architecture=None)
    assert Labeler.from_checkpoint(model).label(["No edema."])[0].labels
    assert not flag.exists()


def test_a_model_that_needs_its_own_code_is_refused(
    model: Path, flag: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plant_code(model, flag, architecture="evil")
    table = tmp_path / "t.csv"
    table.write_text("id,text\n1,No edema.\n")
    code = main(["label", str(table), "--model", str(model), "--out", str(tmp_path / "out")])
    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not flag.exists()


@pytest.mark.parametrize("command", ["train", "train-encoder"])
@pytest.mark.parametrize("what", ["pickle", "code"])
def test_training_does_not_start_from_such_folders(
    model: Path, flag: Path, tmp_path: Path, records_folder: Path, command: str, what: str
) -> None:
    if what == "pickle":
        (model / "model.safetensors").unlink()
        plant_pickle(model / "pytorch_model.bin", flag)
    else:
        plant_code(model, flag, architecture="evil")
    words = [command, "--data", str(records_folder), "--model_name_or_path", str(model)]
    assert main([*words, "--output_dir", str(tmp_path / "out"), "--report_to", "none"]) == 2
    assert not flag.exists()


@pytest.mark.parametrize("trust", ["--trust_remote_code", "--trust_remote_code=true"])
def test_running_foreign_code_cannot_be_asked_for(
    model: Path, flag: Path, tmp_path: Path, records_folder: Path, trust: str
) -> None:
    plant_code(model, flag, architecture="evil")
    words = ["train", "--data", str(records_folder), "--model_name_or_path", str(model), trust]
    assert main([*words, "--output_dir", str(tmp_path / "out")]) == 2
    assert not flag.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_planted_training_states_are_not_run(
    tiny_checkpoint: Path, flag: Path, tmp_path: Path, records_folder: Path, name: str
) -> None:
    """What a resumed training reads back is in torch's format, and read as weights only."""
    out = tmp_path / "out"
    words = ["train", "--data", str(records_folder), "--model_name_or_path", str(tiny_checkpoint)]
    more = "--use_cpu --max_steps 2 --save_steps 1 --report_to none --layout line --output_dir"
    assert main([*words, *more.split(), str(out)]) == 0
    (out / "manifest.json").unlink()
    shutil.rmtree(out / "checkpoint-2")
    assert (out / "checkpoint-1" / name).is_file()
    plant_pickle(out / "checkpoint-1" / name, flag)
    main([*words, *more.split(), str(out)])
    assert not flag.exists()


TAGS = ["!!python/object/apply:os.mkdir ['{flag}']", "!!python/name:os.system", "!!int 7"]


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("place", ["label set", "rules", "recipe"])
def test_yaml_makes_no_objects(
    tag: str, place: str, flag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"name: {tag.format(flag=flag)}\n")
    table = tmp_path / "t.csv"
    table.write_text("id,text\n1,No edema.\n")
    label = ["label", str(table), "--model", "rules", "--out", str(tmp_path / "out")]
    words = {
        "label set": ["label-set", "check", str(path)],
        "rules": [*label, "--rules", str(path)],
        "recipe": ["train", "--config", str(path), "--data", "x", "--output_dir", "y"],
    }[place]
    assert main(words) == 2
    assert str(path) in capsys.readouterr().err
    assert not flag.exists()


def test_a_pickle_is_what_it_is_said_to_be(flag: Path) -> None:
    """The plant itself works, or the tests above would prove nothing."""
    pickle.loads(pickle.dumps(Evil(flag))).close()
    assert flag.exists()
