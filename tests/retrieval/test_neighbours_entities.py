from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from neighbour_tools import report

from labelwright.label_set import LabelSet
from labelwright.records import Entity, Prediction, Reject, Report
from labelwright.tasks.entities.answer import render
from retrieval.augment import Augmenter, Recipe
from retrieval.embedders import embedder_for
from retrieval.index import Index
from retrieval.index_build import Plan, build_index
from retrieval.index_shards import Entry
from retrieval.with_neighbours import WithNeighbours

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


class Answering:
    """Answers every report the same, grounded in all of the text that it was given."""

    def __init__(self, label_set: LabelSet, answer: str) -> None:
        self.label_set = label_set
        self.name = "answering"
        self.answer = answer
        self.asked: list[str] = []

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "answering"}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        from labelwright.tasks.entities.answer import parse

        self.asked += [r.text for r in reports]
        parsed = [parse(self.label_set, self.answer, r.text, ended=True) for r in reports]
        return [
            Prediction(
                r.id, {}, self.name, raw=self.answer, problems=p.problems, entities=p.entities
            )
            for r, p in zip(reports, parsed, strict=True)
        ]


def test_worked_examples_show_mentions(index: Index, diseases: LabelSet) -> None:
    (shown,) = Augmenter(index, Recipe("few-shot", 1), diseases).show([report("q", "Ataxia.")])
    answer = render(diseases, [Entity.of(NOTE, diseases.names[0], (6, 12))])
    assert shown.leads[0] == f"Similar report 1:\n{NOTE}\nAnswer: {answer}\n\nReport to label:\n"


def test_mentions_are_found_in_the_report_and_not_in_its_neighbours(
    index: Index, diseases: LabelSet
) -> None:
    kind = diseases.labels[0].key
    inner = Answering(diseases, f"{kind}: ataxia\n{kind}: family")
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
    inner = Answering(diseases, f"{kind}: ataxia")
    labeler = WithNeighbours(inner, Augmenter(index, Recipe("context", 1), diseases))
    (result,) = labeler.label_reports([report("n", "New ataxia today.")])
    assert inner.asked == ["New ataxia today."]
    assert isinstance(result, Prediction)
    assert [e.spans for e in result.entities or ()] == [((4, 10),)]
    assert result.notes == ("neighbours: 0 of 1",)
