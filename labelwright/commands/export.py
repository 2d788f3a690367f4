"""``labelwright export``: a model for llama.cpp or as an adapter; records for other trainers."""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from labelwright.commands.export_records import FORMS, export_records
from labelwright.commands.flags import positive
from labelwright.errors import CheckpointError, ConfigError, InputError

if TYPE_CHECKING:
    from inference.exports.gguf_check import Checked

TYPES = ("f32", "f16", "bf16", "q8_0")
CHECKED_REPORTS = 20
RANK = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    parser.add_argument(
        "form",
        choices=("gguf", "adapter", *FORMS),
        help="gguf: one file for llama.cpp; adapter: what training changed, as LoRA weights; trl, "
        "openai, alpaca, sharegpt: the records of a data folder for other trainers",
    )
    parser.add_argument(
        "model",
        metavar="DIR",
        help="the folder of a full model (gguf: of the Qwen2 architecture), or of records",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="PATH", help="the file or folder to write"
    )
    parser.add_argument(
        "--type",
        metavar="TYPE",
        help=f"how weights are stored; gguf: {', '.join(TYPES)} (default: f16; norms and biases "
        "are always f32); adapter: bf16 or f8, half its size (default: bf16)",
    )
    adapter = parser.add_argument_group("adapter")
    adapter.add_argument(
        "--base", metavar="DIR|NAME", help="the model that training started from; needed"
    )
    adapter.add_argument(
        "--rank",
        type=positive,
        metavar="N",
        help=f"singular values kept of every matrix (default: {RANK})",
    )
    check = parser.add_argument_group("comparison with llama.cpp (needs llama-cpp-python)")
    check.add_argument(
        "--check",
        type=Path,
        metavar="REPORTS",
        help="answer reports of this file with both, and say how far they agree; its columns "
        "must have usual names",
    )
    check.add_argument(
        "--check-rows",
        type=positive,
        metavar="N",
        help=f"how many reports (default: {CHECKED_REPORTS})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the file or folder; compare if asked to. 0 even where rounding changes an answer."""
    if arguments.form in FORMS:
        _refuse(arguments, arguments.form, ("type", "base", "rank", "check", "check_rows"))
        counts = export_records(arguments.model, arguments.out, arguments.form)
        said = ", ".join(f"{count:,} {split}" for split, count in counts.items())
        sys.stdout.write(f"{said} -> {arguments.out}\n")
        return 0
    if arguments.form == "adapter":
        _refuse(arguments, "adapter", ("check", "check_rows"))
        return _adapter(arguments)
    _refuse(arguments, "gguf", ("base", "rank"))
    return _gguf(arguments)


def _refuse(arguments: argparse.Namespace, form: str, others: tuple[str, ...]) -> None:
    for name in others:
        if getattr(arguments, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{flag} does not apply to the form {form}", remedy="remove it")


def _adapter(arguments: argparse.Namespace) -> int:
    from inference.exports.adapter_export import extract_adapter

    if arguments.base is None:
        raise ConfigError("an adapter needs its base", remedy="give --base DIR|NAME")
    rank = arguments.rank or RANK
    done = extract_adapter(
        arguments.model, arguments.base, arguments.out, rank, arguments.type or "bf16"
    )
    sys.stdout.write(
        f"{done.matrices} matrices at rank {rank}, {done.kept:.0%} of the change (squared), "
        f"{done.bytes / 1e6:,.1f} MB -> {arguments.out}\n"
    )
    return 0


def _gguf(arguments: argparse.Namespace) -> int:
    from inference.exports.gguf_check import need_llama
    from inference.exports.gguf_export import export_gguf

    if arguments.check is None and arguments.check_rows is not None:
        raise ConfigError("--check-rows is for --check", remedy="remove it")
    texts: list[str] = []
    if arguments.check is not None:
        need_llama()
        texts = _texts(arguments)
    done = export_gguf(arguments.model, arguments.out, arguments.type or "f16")
    left = (
        f", {done.unquantized} of them f16 (rows not divisible by 32)" if done.unquantized else ""
    )
    sys.stdout.write(
        f"{done.tensors} weights{left}, {done.tokens:,} tokens, {done.bytes / 1e6:,.1f} MB "
        f"-> {arguments.out}\n"
    )
    if texts:
        from inference.exports.gguf_check import check_gguf

        sys.stdout.write(_agreement(check_gguf(arguments.model, arguments.out, texts)) + "\n")
    return 0


def _texts(arguments: argparse.Namespace) -> list[str]:
    """The first reports of the file, cut to the sections that the model reads."""
    from inference.cut import SectionCut
    from labelwright.checkpoint import load_task
    from labelwright.readers import read_reports
    from labelwright.readers.options import ReadOptions
    from labelwright.records import Report

    _, task = load_task(arguments.model)
    items = SectionCut(task.sections).stream(read_reports([arguments.check], ReadOptions()))
    texts = (item.text for item in items if isinstance(item, Report))
    found = list(islice(texts, arguments.check_rows or CHECKED_REPORTS))
    if not found:
        raise InputError("no report to compare with", source=arguments.check)
    return found


def _agreement(found: Checked) -> str:
    if found.same_tokens < found.reports:
        raise CheckpointError(
            f"llama.cpp cuts {found.reports - found.same_tokens} of {found.reports} prompts into "
            "other tokens than the model was trained on",
            remedy="do not use the file for reports like these (Unicode that is not in the form "
            "NFC is one cause)",
        )
    left = f" ({found.left_out} did not fit)" if found.left_out else ""
    return (
        f"llama.cpp agrees on {found.same_answers} of {found.reports} answers{left} and on "
        f"{found.same_decisions:,} of {found.decisions:,} tokens; "
        f"largest difference of a logit {found.difference:.2g}"
    )
