"""A task kind that lives with the tests alone: every label is a yes or a no.

Its answers are choices, so that a model can be asked in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from labelwright.io.yaml_lines import YamlFile
from labelwright.label_set import Label, LabelSet
from labelwright.records import Answer
from labelwright.tasks.base import TaskKind
from labelwright.tasks.shapes import Choices, ClassForm, Parsed, Part, Slot, Statistic, Table

YesNo = Mapping[str, bool]


class YesNoKind(TaskKind[YesNo]):
    """Answers such as ``Smoker yes, Diabetes no.``; the score is the share of right ones."""

    name = "yes-no"
    answer_version = "1"
    row_key = "answers"
    gold_suffix = ".answers.jsonl"
    files = ("answers.csv",)

    def read(self, file: YamlFile, text: str) -> LabelSet:
        value = file.value
        return LabelSet(
            name=value["name"],
            version=str(value["version"]),
            task=self.name,
            language="en",
            instruction="Answer yes or no to each.",
            labels=tuple(Label(name, name) for name in value["labels"]),
            words={},
            text=text,
            kin=value["name"],
        )

    def example(self, label_set: LabelSet) -> YesNo:
        return dict.fromkeys(label_set.names, True)

    def instruction(self, label_set: LabelSet) -> str:
        return f"{label_set.instruction} {', '.join(label_set.names)}"

    def render(self, label_set: LabelSet, value: YesNo) -> str:
        return self.choices(label_set).line(self.picks(label_set, value))

    def choices(self, label_set: LabelSet) -> Choices:
        options = {"yes": " yes", "no": " no"}
        slots = [
            Slot(name, name, name if place == 0 else f", {name}", options, silent="no")
            for place, name in enumerate(label_set.names)
        ]
        return Choices(tuple(slots), ".")

    def picks(self, label_set: LabelSet, value: YesNo) -> dict[str, str]:
        return {name: "yes" if value[name] else "no" for name in label_set.names}

    def picked(self, label_set: LabelSet, picks: Mapping[str, str | None]) -> YesNo:
        return {name: picks[name] == "yes" for name in label_set.names}

    def parse(
        self,
        label_set: LabelSet,
        answer: str,
        text: str,
        *,
        ended: bool | None = None,
        probs: Sequence[float] | None = None,
    ) -> Parsed[YesNo]:
        parts = answer.removesuffix(".").split(", ")
        said = dict(part.split(" ") for part in parts if part.count(" ") == 1)
        missing = [n for n in label_set.names if said.get(n) not in ("yes", "no")]
        if missing:
            return Parsed(None, tuple(f"missing: {name}" for name in missing))
        return Parsed({name: said[name] == "yes" for name in label_set.names})

    def to_json(self, value: YesNo) -> Any:
        return dict(value)

    def from_json(self, label_set: LabelSet, given: Any) -> YesNo:
        found = {name: given[name] for name in label_set.names}
        if not all(isinstance(each, bool) for each in found.values()):
            raise ValueError("neither yes nor no")
        return found

    def merge(
        self, label_set: LabelSet, parts: Sequence[Part], *, length: int, sentences: bool = False
    ) -> Answer:
        values = [part.answer.value for part in parts if part.answer.value is not None]
        value = {name: any(each[name] for each in values) for name in label_set.names}
        return Answer(value=value, raw="\n".join(part.answer.raw for part in parts))

    def tables(self, label_set: LabelSet) -> tuple[Table[YesNo], ...]:
        return (
            Table("answers.csv", label_set.names, lambda value: [list(map(str, value.values()))]),
        )

    def frame_rows(self, label_set: LabelSet, value: YesNo) -> Iterator[Sequence[Any]]:
        yield [value[name] for name in label_set.names]

    def strata(self, label_set: LabelSet, value: YesNo) -> tuple[str, ...]:
        return tuple(name for name in label_set.names if value[name])

    def every_stratum(self, label_set: LabelSet) -> tuple[str, ...]:
        return label_set.names

    def class_form(self, label_set: LabelSet) -> ClassForm:
        return ClassForm("label", ("yes", "no"), (("yes", "yes", 6), ("no", "no", 6)))

    def class_counts(self, label_set: LabelSet, value: YesNo) -> Iterator[tuple[str, str, int]]:
        for name in label_set.names:
            yield name, "yes" if value[name] else "no", 1

    def counts(
        self,
        label_set: LabelSet,
        gold: Sequence[YesNo],
        said: Sequence[YesNo | None],
        texts: Sequence[str] | None,
    ) -> Any:
        """Right answers and all of them, ``[reports, labels, 2]``."""
        right = [
            [[int(s is not None and s[n] == g[n]), 1] for n in label_set.names]
            for g, s in zip(gold, said, strict=True)
        ]
        return np.array(right, dtype=np.int64).reshape(len(gold), len(label_set.names), 2)

    def statistics(self, label_set: LabelSet, undefined: str) -> Mapping[str, Statistic]:
        def accuracy(counts: Any) -> Any:
            each = counts[..., 0] / np.maximum(counts[..., 1], 1)
            return np.concatenate([each.mean(axis=-1)[..., None], each], axis=-1)

        counted = np.ones(len(label_set.names), dtype=bool)
        parts = ("mean", *label_set.names)
        return {"accuracy": Statistic("accuracy", parts, counted, accuracy)}


KIND = YesNoKind()
