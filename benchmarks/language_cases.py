"""How well does a labeler read plain language? Shares of right labels by kind of wording.

    python benchmarks/language_cases.py [--model NAME]... [--wrong] [-- FLAGS]

``examples/language_cases.csv`` holds short texts with the labels that the labeling guide gives
them, each of one kind (hedges, scope ends, informal words, ...);
``examples/language_reports.csv`` whole reports with all labels. Every ``--model`` (default: the
one that ``labelwright label`` takes) labels both, with the FLAGS of ``labelwright label``. A text
that is rejected has no label, so it counts as blank. Printed are accuracy by kind and by expected
certainty; of the reports how many are right in all labels, and macro F1 of positive and of
uncertain over the observations that occur. ``--wrong`` lists every wrong label.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from labelwright.records import Certainty

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
CODES = {
    "1.0": Certainty.POSITIVE,
    "0.0": Certainty.NEGATIVE,
    "-1.0": Certainty.UNCERTAIN,
    "": Certainty.BLANK,
}

Labels = Mapping[str, Certainty | None]


class Case(NamedTuple):
    """What one observation of one text must be."""

    id: str
    text: str
    observation: str
    expected: Certainty
    kind: str


class Outcome(NamedTuple):
    """A case and what a labeler said; None where its answer leaves it open."""

    case: Case
    got: Certainty | None

    @property
    def right(self) -> bool:
        """Whether it said what it must."""
        return self.got is self.case.expected


def read_cases(path: Path) -> list[Case]:
    """Short texts: one row per text and observation (``id,text,observation,expected,kind``)."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [
        Case(r["id"], r["text"], r["observation"], Certainty(r["expected"]), r["kind"])
        for r in rows
    ]


def read_reports(path: Path) -> list[Case]:
    """Whole reports: ``id,text`` and a column of CheXpert's codes for each observation."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [
        Case(row["id"], row["text"], name, CODES[code], "report")
        for row in rows
        for name, code in row.items()
        if name not in ("id", "text")
    ]


def answers(texts: Mapping[str, str], flags: Sequence[str]) -> dict[str, Labels]:
    """Labels by id from ``labelwright label`` with these flags; rejected texts are missing."""
    with tempfile.TemporaryDirectory() as folder:
        table, out = Path(folder) / "texts.csv", Path(folder) / "out"
        with table.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows([("id", "text"), *texts.items()])
        named = ["--id-column", "id", "--text-columns", "text", "--out", str(out)]
        command = [sys.executable, "-m", "labelwright.cli", "label", str(table), *named, *flags]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        lines = (out / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {
        row["id"]: {name: label and Certainty(label) for name, label in row["labels"].items()}
        for row in rows
    }


def judge(cases: Iterable[Case], labels: Mapping[str, Labels]) -> list[Outcome]:
    """Every case with what was said of it."""
    return [
        Outcome(case, labels[case.id][case.observation] if case.id in labels else Certainty.BLANK)
        for case in cases
    ]


def accuracy(outcomes: Sequence[Outcome]) -> float:
    """Share of right ones; NaN of none."""
    return sum(o.right for o in outcomes) / len(outcomes) if outcomes else float("nan")


def macro_f1(outcomes: Iterable[Outcome], certainty: Certainty) -> float:
    """Mean over observations of F1 of one certainty, of those where it is expected or said.

    F1 = 2 TP / (expected + said). NaN where no observation has any.
    """
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for outcome in outcomes:
        expected, said = outcome.case.expected is certainty, outcome.got is certainty
        counts[outcome.case.observation][0] += 2 * (expected and said)
        counts[outcome.case.observation][1] += expected + said
    scores = [twice / total for twice, total in counts.values() if total]
    return sum(scores) / len(scores) if scores else float("nan")


def all_right(outcomes: Iterable[Outcome]) -> tuple[int, int]:
    """Reports whose every label is right, and reports."""
    reports: dict[str, bool] = {}
    for outcome in outcomes:
        reports[outcome.case.id] = reports.get(outcome.case.id, True) and outcome.right
    return sum(reports.values()), len(reports)


def table(by_model: Mapping[str, Sequence[Outcome]]) -> str:
    """Accuracy of short texts: a line per kind and per certainty, a column per model."""
    names = list(by_model)
    first = by_model[names[0]]
    kinds = sorted({o.case.kind for o in first})
    lines = [f"{'':28} {'n':>5} " + " ".join(f"{name[-16:]:>16}" for name in names)]

    def add(title: str, keep: Mapping[str, Sequence[Outcome]]) -> None:
        shares = " ".join(f"{accuracy(keep[name]):16.3f}" for name in names)
        lines.append(f"{title:28} {len(keep[names[0]]):5} {shares}")

    for kind in kinds:
        add(kind, {n: [o for o in by_model[n] if o.case.kind == kind] for n in names})
    for certainty in Certainty:
        add(
            f"expected {certainty}",
            {n: [o for o in by_model[n] if o.case.expected is certainty] for n in names},
        )
    add("all", by_model)
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Label, score, print."""
    parser = argparse.ArgumentParser(description="Right labels by kind of wording")
    parser.add_argument("--model", action="append", help="as of `labelwright label`; repeatable")
    parser.add_argument("--cases", type=Path, default=EXAMPLES / "language_cases.csv")
    parser.add_argument("--reports", type=Path, default=EXAMPLES / "language_reports.csv")
    parser.add_argument("--wrong", action="store_true", help="list every wrong label")
    parser.add_argument("flags", nargs="*", help="after --: further flags of `labelwright label`")
    arguments = parser.parse_args(argv)
    cases, reports = read_cases(arguments.cases), read_reports(arguments.reports)
    short: dict[str, list[Outcome]] = {}
    whole: dict[str, list[Outcome]] = {}
    for model in arguments.model or [""]:
        flags = [*(["--model", model] if model else []), *arguments.flags]
        name = model or "default"
        short[name] = judge(cases, answers({c.id: c.text for c in cases}, flags))
        whole[name] = judge(reports, answers({c.id: c.text for c in reports}, flags))
    print(f"{len({c.id for c in cases})} short texts, {len(cases)} labels\n{table(short)}\n")
    for name, outcomes in whole.items():
        right, count = all_right(outcomes)
        positive, uncertain = (
            macro_f1(outcomes, c) for c in (Certainty.POSITIVE, Certainty.UNCERTAIN)
        )
        print(
            f"{name}: {right} of {count} reports right in all labels; "
            f"macro F1 positive {positive:.3f}, uncertain {uncertain:.3f}"
        )
    if arguments.wrong:
        for name in short:
            for case, got in (o for o in short[name] + whole[name] if not o.right):
                print(
                    name, case.id, case.kind, case.observation, f"{case.expected} not {got}",
                    repr(case.text), sep=" | ",
                )  # fmt: skip


if __name__ == "__main__":
    main()
