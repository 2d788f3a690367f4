from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from neighbour_tools import report

from inference.decode.part_reader import PartReader, Said
from inference.prompts import Refusal
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask
from labelwright.records import Answer, Entity, Prediction, Reject, Report, Span
from labelwright.tasks.entities.answer import render
from retrieval.augment import Augmenter, Recipe, WithNeighbours
from retrieval.embedders import embedder_for
from retrieval.index import Index
from retrieval.index_build import Plan, build_index
from retrieval.index_shards import Entry

NOTE = "Known ataxia. No ataxia in the family."


@pytest.fixture(scope="module")
def diseases() -> LabelSet:
    return LabelSet.load("disease-1")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, diseases: LabelSet) -> Index:
    kind = diseases.names[0]
    entity = Entity.of(NOTE, kind, (6, 12))
    entries = [Entry(report("n", NOTE), "train", {"entities": [entity.to_json()]})]
    out = tmp_path_factory.mktemp("notes") / "index"
    build_index(out, lambda: iter(entries), embedder_for("hashed"), Plan({}, label_set=diseases))
    return Index.open(out)


@dataclass
class Scripted:
    """Answers by a function of the text that is asked about; keeps what it was asked."""

    answer: Callable[[str], Said]
    asked: list[Ask] = field(default_factory=list)

    def ask(self, asks: Sequence[Ask]) -> list[Said | Refusal]:
        self.asked += asks
        return [self.answer(ask.text) for ask in asks]

    def parts(self, text: str) -> list[Span] | Refusal:
        raise AssertionError("nothing is too long here")


class Answering:
    """A labeler of entities, as models and servers are read, around a scripted asker."""

    def __init__(self, label_set: LabelSet, answer: Callable[[str], Said]) -> None:
        self.label_set = label_set
        self.name = "answering"
        self.asker = Scripted(answer)
        self._reader = PartReader(label_set, self.asker, long="windows")

    @property
    def asked(self) -> list[str]:
        return [ask.whole for ask in self.asker.asked]

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "answering"}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        return self.label_led(reports, [""] * len(reports))

    def label_led(
        self, reports: Sequence[Report], leads: Sequence[str]
    ) -> list[Prediction | Reject]:
        asks = [Ask(r.text, lead) for r, lead in zip(reports, leads, strict=True)]
        answers = [cast(Answer, answer) for answer in self._reader.read(asks)]
        return [
            Prediction.of(r, answer, model=self.name, task=self.label_set.task)
            for r, answer in zip(reports, answers, strict=True)
        ]


def always(raw: str) -> Callable[[str], Said]:
    return lambda _: Said(raw, True, 0.0, probs=[0.5] * (raw.count("\n") + 1))


def test_worked_examples_show_mentions(index: Index, diseases: LabelSet) -> None:
    (shown,) = Augmenter(index, Recipe("few-shot", 1), diseases).show([report("q", "Ataxia.")])
    answer = render(diseases, [Entity.of(NOTE, diseases.names[0], (6, 12))])
    assert shown.leads[0] == f"Similar report 1:\n{NOTE}\nAnswer: {answer}\n\nReport to label:\n"


def test_mentions_are_found_in_the_report_and_not_in_its_neighbours(
    index: Index, diseases: LabelSet
) -> None:
    kind = diseases.labels[0].key
    inner = Answering(diseases, always(f"{kind}: ataxia\n{kind}: family"))
    augmenter = Augmenter(index, Recipe("few-shot", 1), diseases)
    (result,) = WithNeighbours(inner, augmenter).label_reports([report("q", "New ataxia today.")])
    assert isinstance(result, Prediction)
    assert NOTE in inner.asked[0]
    found, invented = result.entities or ()
    assert (found.spans, found.text) == (((4, 10),), "ataxia")
    assert (invented.spans, invented.text) == ((), "family")
    assert any(problem.startswith("not in the text") for problem in result.problems)


def test_without_a_neighbour_the_answer_is_left_as_it_is(
    index: Index, diseases: LabelSet, tmp_path: Path
) -> None:
    kind = diseases.labels[0].key
    inner = Answering(diseases, always(f"{kind}: ataxia"))
    labeler = WithNeighbours(inner, Augmenter(index, Recipe("context", 1), diseases))
    (result,) = labeler.label_reports([report("n", "New ataxia today.")])
    assert inner.asked == ["New ataxia today."]
    assert isinstance(result, Prediction)
    assert [e.spans for e in result.entities or ()] == [((4, 10),)]
    assert result.notes == ("neighbours: 0 of 1",)


def test_a_halved_answer_asks_about_the_report_and_never_about_its_neighbours(
    index: Index, diseases: LabelSet
) -> None:
    """An answer that does not end is asked about in halves; those are of the report alone."""
    kind = diseases.labels[0].key
    text = "No ataxia was seen. Known cough. He is well."

    def answer(asked: str) -> Said:
        said = [f"{kind}: {word}" for word in ("ataxia", "cough") if word in asked]
        return Said("\n".join(said) or "none", asked != text, 0.0)

    inner = Answering(diseases, answer)
    (result,) = WithNeighbours(
        inner, Augmenter(index, Recipe("context", 1), diseases)
    ).label_reports([report("q", text)])
    assert isinstance(result, Prediction)
    asked = [ask.text for ask in inner.asker.asked]
    assert asked == [text, "No ataxia was seen.", "Known cough. He is well."]
    assert all(NOTE in ask.lead for ask in inner.asker.asked)
    assert [(e.text, e.spans) for e in result.value] == [
        ("ataxia", ((3, 9),)),
        ("cough", ((26, 31),)),
    ]


def test_mentions_keep_their_probabilities_beside_neighbours(
    index: Index, diseases: LabelSet
) -> None:
    kind = diseases.labels[0].key
    inner = Answering(diseases, lambda _: Said(f"{kind}: ataxia", True, 0.0, probs=[0.93]))
    labeler = WithNeighbours(inner, Augmenter(index, Recipe("context", 1), diseases))
    (result,) = labeler.label_reports([report("q", "New ataxia today.")])
    assert isinstance(result, Prediction)
    assert NOTE in inner.asked[0]
    assert [e.prob for e in result.value] == [0.93]
