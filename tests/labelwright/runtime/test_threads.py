"""Idle threads sleep: what the commands set before torch is loaded, and what the user has set."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from labelwright.runtime.threads import (
    CORE,
    MALLOC,
    NEEDED,
    PRODUCT_THREADS,
    WAITING,
    kept_memory,
    one_thread,
    quick_products,
    wait_asleep,
)

ROOT = Path(__file__).parents[3]
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def plain(**more: str) -> dict[str, str]:
    """The environment of somebody who has set nothing, and ``more``."""
    return {k: v for k, v in os.environ.items() if k not in WAITING} | more


def test_both_are_set_where_the_user_has_set_none() -> None:
    found = {"HOME": "/root"}
    wait_asleep(found)
    assert found == {"HOME": "/root", **PASSIVE}


@pytest.mark.parametrize("name", WAITING)
def test_what_the_user_has_set_stays_as_it_is(name: str) -> None:
    """One of them alone, too: a count of spins would win over a policy that the user chose."""
    found = {name: "20"}
    wait_asleep(found)
    assert found == {name: "20"}


AT_TORCH = """
import os, runpy, sys

class AtTorch:
    def find_spec(self, name, *rest):
        if name == "torch":
            print(*(f"{k}={os.environ.get(k)}" for k in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")))
            sys.stdout.flush()
            os._exit(7)

sys.meta_path.insert(0, AtTorch())
program, *flags = sys.argv[1:]
sys.argv[:] = [program, *flags]
if program.endswith(".py"):
    runpy.run_path(program, run_name="__main__")
else:
    runpy.run_module(program, run_name="__main__")
"""
"""Runs a program up to its first import of torch, and shows what is set there."""
TRAINED = ["--data", "examples", "--output_dir", "{out}", "--scratch", "tiny"]
LABEL = ["labelwright.cli", "label", "examples/reports.csv"]
PROGRAMS = {
    "label": [*LABEL, "--model", "labelwright-chest", "--decode", "free", "--out", "{out}"],
    "train": ["labelwright.cli", "train", *TRAINED],
    "train-tagger": ["labelwright.cli", "train-tagger", *TRAINED],
    "train-encoder": ["labelwright.cli", "train-encoder", *TRAINED],
    "sft/train.py": ["sft/train.py", *TRAINED],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_set_before_torch_is_imported(name: str, tmp_path: Path) -> None:
    words = [word.format(out=tmp_path / "out") for word in PROGRAMS[name]]
    done = subprocess.run(
        [sys.executable, "-c", AT_TORCH, *words],
        cwd=ROOT,
        env=plain(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines()[-1] == "OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0"


@pytest.mark.parametrize(("chosen", "found"), [({}, "PASSIVE"), ({WAITING[0]: "active"}, "ACTIVE")])
def test_openmp_reads_it(chosen: dict[str, str], found: str) -> None:
    """What the library itself says when it is loaded."""
    code = "from labelwright.runtime.threads import wait_asleep; wait_asleep(); import torch"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=plain(OMP_DISPLAY_ENV="verbose", **chosen),
        capture_output=True,
        text=True,
        check=True,
    )
    if "GOMP_SPINCOUNT" not in done.stderr:
        pytest.skip("torch brings another OpenMP than GNU's")
    assert f"OMP_WAIT_POLICY = '{found}'" in done.stderr
    assert ("GOMP_SPINCOUNT = '0'" in done.stderr) is (found == "PASSIVE")


@pytest.mark.parametrize(
    ("vendor", "flags", "set_to"),
    [
        ("AuthenticAMD", sorted(NEEDED), "SkylakeX"),
        ("GenuineIntel", sorted(NEEDED), None),  # OpenBLAS takes them by itself
        ("AuthenticAMD", sorted(NEEDED - {"avx512dq"}), None),
    ],
)
def test_products_use_avx512_where_openblas_would_not(
    tmp_path: Path, vendor: str, flags: list[str], set_to: str | None
) -> None:
    known = tmp_path / "cpuinfo"
    known.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu {' '.join(flags)}\n")
    found: dict[str, str] = {}
    quick_products(found, known)
    assert found.get(CORE) == set_to
    chosen = {CORE: "Haswell"}
    quick_products(chosen, known)
    assert chosen == {CORE: "Haswell"}
    quick_products(found := {}, tmp_path / "none")
    assert found == {}


def blas_threads() -> set[int]:
    libraries = ThreadpoolController().select(user_api="blas").info()
    numpy = str(Path(np.__file__).parent)  # NumPy's own stands there or in numpy.libs
    return {one["num_threads"] for one in libraries if one["filepath"].startswith(numpy)}


def test_small_models_multiply_with_one_thread_unless_the_user_says_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not blas_threads():
        pytest.skip("NumPy brings no library of its own for products")

    with ThreadpoolController().limit(limits=2, user_api="blas"):
        monkeypatch.delenv(PRODUCT_THREADS, raising=False)
        with one_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {2}
        monkeypatch.setenv(PRODUCT_THREADS, "2")
        with one_thread():
            assert blas_threads() == {2}


def test_blocks_that_overlap_leave_the_process_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when two threads of a notebook or a server label at the same time."""
    if not blas_threads():
        pytest.skip("NumPy brings no library of its own for products")
    monkeypatch.delenv(PRODUCT_THREADS, raising=False)
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        first, second = one_thread(), one_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == {2}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library is not glibc")
def test_memory_that_comes_and_goes_is_cleared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MALLOC:
        monkeypatch.delenv(name, raising=False)
    kept_memory()
    pages = (3 << 20) // resource.getpagesize()
    np.ones(3 << 20, dtype=np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(3 << 20, dtype=np.uint8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 4 * pages
