"""The certainty task as a kind: per observation positive, negative, uncertain or blank.

Its label sets say which certainties an observation can take, and what excludes what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, ClassVar

from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.label_set import Exclusive, LabelSet
from labelwright.labelers.about import check as check_about
from labelwright.records import Answer, Certainty, Prediction
from labelwright.tasks.base import (
    ClassForm,
    Finding,
    Known,
    Parsed,
    Part,
    Probabilities,
    Table,
    TaskKind,
    WriteGold,
)
from labelwright.tasks.certainty import answer as line
from labelwright.tasks.certainty import rules, table, together
from labelwright.tasks.schema import Rules, Words
from labelwright.tasks.schema import read as read_shared
from labelwright.text.amounts import amount

EXCLUSIVE = ("label", "with")


def read(file: YamlFile, text: str) -> LabelSet:
    """Check a file and build the label set.

    Raises:
        LabelSetError: it has mistakes; all are listed.
    """
    return read_shared(
        file, text, RULES, exclusive=_rules_of, about=lambda value: value.get("about")
    )


def _rules_of(value: Mapping[str, Any]) -> tuple[Exclusive, ...]:
    given = value.get("exclusive") or ()
    return tuple(Exclusive(item["label"], tuple(item["with"])) for item in given)


def _own_certainties(
    file: YamlFile, path: list[Step], item: Mapping[str, Any], words: Words
) -> None:
    value = item.get("certainties")
    if value is None:
        return
    where: list[Step] = [*path, "certainties"]
    if not isinstance(value, list) or len(value) < 2:
        file.problem(where, "certainties must list at least two; for example [positive, blank]")
        return
    for index, said in enumerate(value):
        if said not in list(words):
            known = ", ".join(words)
            file.problem([*where, index], f"unknown certainty {said!r}; use some of: {known}")
    if Certainty.BLANK not in value:
        file.problem(where, "'blank' is missing; a report may always leave an observation out")


def _whole(
    file: YamlFile,
    whole: Mapping[str, Any],
    names: Sequence[str],
    words: Words,  # noqa: ARG001
) -> None:
    if whole.get("about") is not None:
        check_about(file, ["about"], whole["about"])
    value = whole.get("exclusive")
    if value is None:
        return
    if not isinstance(value, list):
        file.problem(["exclusive"], "exclusive must be a list; write '- label: …'")
        return
    for index, item in enumerate(value):
        path: list[Step] = ["exclusive", index]
        if not isinstance(item, dict) or not {"label", "with"} <= set(item):
            file.problem(path, "an exclusive rule has the keys label and with; add them")
            continue
        file.unknown_keys(path, item, EXCLUSIVE)
        if item["label"] not in names:
            file.problem(
                [*path, "label"], f"unknown label {item['label']!r}; name one of the labels"
            )
        others = item["with"] if isinstance(item["with"], list) else [item["with"]]
        if not isinstance(item["with"], list):
            file.problem([*path, "with"], "'with' must be a list of labels; write [a, b]")
        for number, other in enumerate(others):
            if other not in names or other == item["label"]:
                file.problem(
                    [*path, "with", number], f"{other!r} is not another label; fix or delete it"
                )


RULES = Rules(
    top=("exclusive", "about", "variant_of"),
    label=("certainties",),
    usual={c: c.value for c in Certainty},
    needed=(Certainty.POSITIVE, Certainty.BLANK),
    each=_own_certainties,
    whole=_whole,
)


Value = Mapping[str, Certainty | None]
_NAMED: Mapping[str | None, Certainty | None] = dict([(None, None), *rules.NAMED.items()])
SAID = tuple(c for c in Certainty if c is not Certainty.BLANK)


class CertaintyKind(TaskKind[Value]):
    """A certainty per observation; ``None`` where an answer leaves one open."""

    name: ClassVar[str] = "certainty"
    answer_version: ClassVar[str] = line.PROMPT_VERSION
    row_key: ClassVar[str] = "labels"
    gold_suffix: ClassVar[str] = ".labels.csv"
    files: ClassVar[tuple[str, ...]] = ("labels.csv",)
    exports: ClassVar[tuple[str, ...]] = ("parquet", "omop", "fhir")
    card: ClassVar[str] = "one report and writes one line with a certainty for each observation"
    open_reason: ClassVar[str] = "not every observation is determined"

    read = staticmethod(read)
    instruction = staticmethod(line.system_prompt)
    choices = staticmethod(line.choices)
    plain = staticmethod(line.as_line)

    def describe(self, label_set: LabelSet) -> str:
        """Labels and certainties."""
        certainties = ", ".join(label_set.certainties)
        return f"{amount(len(label_set.labels), 'label')}, certainties {certainties}"

    def example(self, label_set: LabelSet) -> Value:
        """A report that says nothing of any observation."""
        return dict.fromkeys(label_set.names, Certainty.BLANK)

    def render(self, label_set: LabelSet, value: Value) -> str:
        """The answer line."""
        return line.render(label_set, _known(value))

    def parse(
        self,
        label_set: LabelSet,
        answer: str,
        text: str,
        *,
        ended: bool | None = None,
        probs: Sequence[float] | None = None,
    ) -> Parsed[Value]:
        """Read an answer line."""
        del text, probs
        return line.parse(label_set, answer, ended=ended)

    def picks(self, label_set: LabelSet, value: Value) -> Value:
        """The value itself."""
        del label_set
        return value

    def picked(self, label_set: LabelSet, picks: Mapping[str, str | None]) -> Value:
        """The picks as certainties."""
        return self.from_json(label_set, picks)

    def choose(
        self, label_set: LabelSet, probs: Probabilities
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        """The likeliest labels that obey the exclusive rules."""
        labels, changed = rules.settle(label_set, probs)
        return dict(labels), changed

    def broken(self, label_set: LabelSet, value: Value) -> tuple[str, ...]:
        """The heads of exclusive rules that are broken."""
        return tuple(dict.fromkeys(name for name, _ in label_set.contradictions(value)))

    def to_json(self, value: Value) -> dict[str, Certainty | None]:
        """``{observation: certainty}``."""
        return dict(value)

    def from_json(self, label_set: LabelSet, given: Any) -> Value:
        """The inverse; observations are not compared with those of the label set."""
        del label_set
        try:
            return {name: _NAMED[said] for name, said in given.items()}
        except (KeyError, TypeError):
            return {name: None if said is None else Certainty(said) for name, said in given.items()}

    def to_object(self, value: Value) -> dict[str, Any]:
        """The observations themselves."""
        return {name: None if said is None else said.value for name, said in value.items()}

    def from_object(self, label_set: LabelSet, given: Mapping[str, Any]) -> Value:
        """The inverse."""
        return self.from_json(label_set, given)

    def complete(self, value: Value | None) -> bool:
        """Whether every observation has a certainty."""
        return value is not None and None not in value.values()

    def nothing(self, label_set: LabelSet) -> Value:
        """All open."""
        return dict.fromkeys(label_set.names)

    def merge(
        self, label_set: LabelSet, parts: Sequence[Part], *, length: int, sentences: bool = False
    ) -> Answer:
        """By the rules of :mod:`labelwright.tasks.certainty.together`."""
        del length
        if sentences:
            return together.of_sentences(label_set, parts)
        return together.of_windows(label_set, [part.answer for part in parts])

    def findings(self, label_set: LabelSet, prediction: Prediction) -> Iterator[Finding]:
        """All that is not blank, in the label set's order; nothing of an answer with open ends."""
        if not self.complete(prediction.value):
            return
        probs, evidence = prediction.probs or {}, prediction.evidence or {}
        for name in label_set.names:
            certainty = prediction.value[name]
            if certainty is not Certainty.BLANK:
                chance = probs.get(name, {}).get(certainty.value)
                yield Finding(name, certainty, chance, evidence.get(name, []))

    def tables(self, label_set: LabelSet) -> tuple[Table[Value], ...]:
        """``labels.csv`` in CheXpert's coding."""
        names = label_set.names

        def rows(value: Value) -> Iterator[list[str]]:
            yield [table.CELLS[value[name]] for name in names]

        return (Table(self.files[0], names, rows),)

    def frame_rows(self, label_set: LabelSet, value: Value) -> Iterator[list[float]]:
        """The codes as numbers; NaN for blank."""
        yield [float(table.CELLS[value[name]] or "nan") for name in label_set.names]

    def gold_writer(self, handle: IO[str], label_set: LabelSet) -> WriteGold:
        """The same table."""
        return table.LabelWriter(handle, label_set).add

    def read_gold(self, path: Path, label_set: LabelSet) -> Iterator[tuple[int, str, Value]]:
        """The rows of the table."""
        yield from table.read_labels(path, label_set, id_columns=["id"])

    def values(
        self, path: Path, label_set: LabelSet, *, id_columns: Sequence[str] = ("id",)
    ) -> Mapping[str, Value]:
        """The labels of a table by id."""
        return table.PackedLabels(path, label_set, id_columns)

    def fit(self, label_set: LabelSet, value: Value) -> Known[Value] | str:
        """Negatives of observations that cannot be negative are blank."""
        found = table.fitted(label_set, value)
        return found if isinstance(found, str) else Known(*found)

    def arrow_fields(self, label_set: LabelSet) -> list[Any]:
        """Structs with a field per observation."""
        import pyarrow as pa

        names = label_set.names
        span = pa.struct([("start", pa.int32()), ("end", pa.int32())])
        chances = pa.struct([(c.value, pa.float64()) for c in label_set.certainties])
        return [
            pa.field("labels", pa.struct([(name, pa.string()) for name in names])),
            pa.field("probs", pa.struct([(name, chances) for name in names])),
            pa.field("evidence", pa.struct([(name, pa.list_(span)) for name in names])),
        ]

    def arrow_row(self, label_set: LabelSet, row: Mapping[str, Any]) -> dict[str, Any]:
        """Labels, probabilities, evidence."""
        del label_set
        evidence = row.get("evidence")
        spans = evidence and {
            name: [{"start": start, "end": end} for start, end in spans]
            for name, spans in evidence.items()
        }
        return {"labels": row["labels"], "probs": row.get("probs"), "evidence": spans}

    def strata(self, label_set: LabelSet, value: Value) -> tuple[str, ...]:
        """What is said of each observation."""
        said = ((name, value.get(name)) for name in label_set.names)
        return tuple(_stratum(name, c) for name, c in said if c not in (None, Certainty.BLANK))

    def every_stratum(self, label_set: LabelSet) -> tuple[str, ...]:
        """All certainties but blank of every observation."""
        return tuple(f"{name} {c}" for name in label_set.names for c in SAID)

    def class_form(self, label_set: LabelSet) -> ClassForm:
        """A row per observation, a column per certainty; the terminal leaves blank out."""
        columns = tuple(c.value for c in label_set.certainties)
        shown = tuple((c, c[:3], 7) for c in columns if c != Certainty.BLANK)
        return ClassForm("observation", columns, shown)

    def class_counts(self, label_set: LabelSet, value: Value) -> Iterator[tuple[str, str, int]]:
        """One for the certainty of every observation."""
        for name in label_set.names:
            yield name, str(value[name]), 1


@lru_cache(maxsize=4096)
def _stratum(name: str, certainty: Certainty | None) -> str:
    """One text for all reports that say it: splitting keeps those of every report."""
    return f"{name} {certainty}"


def _known(value: Value) -> dict[str, Certainty]:
    """The value without what is open, which no answer can say.

    Raises:
        ValueError: something is open.
    """
    if None in value.values():
        raise ValueError("an observation is open")
    return {name: said for name, said in value.items() if said is not None}


KIND = CertaintyKind()
