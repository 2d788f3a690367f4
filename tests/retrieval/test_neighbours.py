from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neighbour_tools import REPORTS, Recorder, make_index, report

from baselines.knn import NearestNeighbours
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.base import Ask, key_of
from labelwright.records import Certainty, Prediction, Reject
from labelwright.tasks.certainty.answer import parse
from retrieval.augment import Augmenter, Recipe, WithNeighbours, answer_of
from retrieval.index import Index, Neighbour


@pytest.fixture(scope="module")
def index_folder(tmp_path_factory: pytest.TempPathFactory, chexpert: LabelSet) -> Path:
    return make_index(tmp_path_factory.mktemp("index") / "idx", chexpert)


QUERY = "Small left pleural effusion."


def test_a_context_prompt_reads_as_documented(index_folder: Path, chexpert: LabelSet) -> None:
    augmenter = Augmenter(Index.open(index_folder), Recipe("context", 2), chexpert)
    (shown,) = augmenter.show([report("x", QUERY)])
    assert shown.leads[0] + QUERY == (
        f"Similar report 1:\n{REPORTS['b']}\n\n"
        f"Similar report 2:\n{REPORTS['a']}\n\n"
        f"Report to label:\n{QUERY}"
    ) or shown.leads[0] + QUERY == (
        f"Similar report 1:\n{REPORTS['a']}\n\n"
        f"Similar report 2:\n{REPORTS['b']}\n\n"
        f"Report to label:\n{QUERY}"
    )
    assert len(shown.leads) == 3
    assert shown.leads[-1] == ""
    assert not shown.notes


def test_worked_examples_carry_their_labels(index_folder: Path, chexpert: LabelSet) -> None:
    augmenter = Augmenter(Index.open(index_folder), Recipe("few-shot", 1), chexpert)
    (shown,) = augmenter.show([report("x", REPORTS["d"] + " Stable.")])
    head, answer = shown.leads[0].split("\nAnswer: ")
    assert head == f"Similar report 1:\n{REPORTS['d']}"
    line = answer.removesuffix("\n\nReport to label:\n")
    labels = parse(chexpert, line, ended=True).value
    assert labels["Fracture"] is Certainty.POSITIVE
    assert labels["Pleural Effusion"] is Certainty.NEGATIVE


def test_no_neighbour_is_the_report_its_patient_or_of_another_split(
    index_folder: Path, chexpert: LabelSet
) -> None:
    augmenter = Augmenter(Index.open(index_folder), Recipe("few-shot", 5), chexpert)
    shown = augmenter.show(
        [report("a", REPORTS["a"], "p1"), report("c", REPORTS["c"]), report("e", REPORTS["e"])]
    )
    assert [set(found.neighbours) for found in shown] == [
        {"c", "d"},
        {"a", "b", "d"},
        {"a", "b", "c", "d"},
    ]
    assert [found.notes for found in shown] == [
        ("neighbours: 2 of 5",),
        ("neighbours: 3 of 5",),
        ("neighbours: 4 of 5",),
    ]


@settings(deadline=None)
@given(words=st.integers(1, 60), method=st.sampled_from(["context", "few-shot"]))
def test_the_budget_holds_and_nothing_is_half_an_example(
    words: int, method: str, index_folder: Path, chexpert: LabelSet
) -> None:
    import re

    recipe = Recipe(method, 3, words=words)
    augmenter = Augmenter(Index.open(index_folder), recipe, chexpert)
    (shown,) = augmenter.show([report("x", QUERY)])
    blocks = shown.leads[0].removesuffix("Report to label:\n").split("Similar report ")[1:]
    bodies = [block.partition(":\n")[2].replace("\nAnswer: ", " ") for block in blocks]
    assert sum(len(re.findall(r"\w+|[^\w\s]", body)) for body in bodies) <= words
    texts = [block.partition(":\n")[2].split("\nAnswer: ")[0].strip() for block in blocks]
    for text in texts:
        whole = [full for full in REPORTS.values() if full.startswith(text)]
        assert whole
        if method == "few-shot":
            assert text in REPORTS.values()
        assert text.endswith(".")
    cut = [text for text in texts if text not in REPORTS.values()]
    assert ("neighbour cut" in shown.notes) == bool(cut)
    assert (f"neighbours: {len(blocks)} of 3" in shown.notes) == (len(blocks) < 3)


@pytest.mark.parametrize(
    ("recipe", "what"),
    [
        (Recipe("context", 1, embedder="minilm", dimension=384), "embedder"),
        (Recipe("context", 1, embedder="hashed:1024", dimension=7), "dimension"),
        (Recipe("context", 1, version="0"), "version"),
        (Recipe("context", 1, split="validation"), "split"),
    ],
)
def test_recipe_and_index_must_fit(
    recipe: Recipe, what: str, index_folder: Path, chexpert: LabelSet
) -> None:
    with pytest.raises(ConfigError, match=what):
        Augmenter(Index.open(index_folder), recipe, chexpert)


def test_worked_examples_of_another_label_set_are_refused(index_folder: Path) -> None:
    other = LabelSet.load("head-ct-5")
    with pytest.raises(ConfigError, match="head-ct-5"):
        Augmenter(Index.open(index_folder), Recipe("few-shot", 1), other)
    Augmenter(Index.open(index_folder), Recipe("context", 1), other)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"method": "both", "k": 1}, "both"),
        ({"method": "context", "k": 0}, "at least 1"),
        ({"method": "context", "k": 1, "words": 0}, "at least 1"),
        ({"method": "context", "k": 1, "most_similar": 1.5}, "between 0 and 1"),
    ],
)
def test_bad_recipes(arguments: Mapping[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Recipe(**arguments)


def test_a_neighbour_without_fitting_labels_is_named(chexpert: LabelSet) -> None:
    bare = Neighbour("n7", 0.5, None, "train", "text", None)
    with pytest.raises(ConfigError, match="n7"):
        answer_of(chexpert, bare)
    with pytest.raises(ConfigError, match="n7"):
        answer_of(chexpert, replace(bare, labels={"Edema": "perhaps"}))


class Measuring(Recorder):
    def fits(self, asks: Sequence[Ask]) -> list[bool]:
        return [len(ask.whole) <= self.limit for ask in asks]


@pytest.mark.parametrize("kind", [Recorder, Measuring])
@pytest.mark.parametrize("limit", [10_000, 150, 100, 29, 5])
def test_a_prompt_too_long_loses_neighbours_but_no_report(
    kind: type[Recorder], limit: int, index_folder: Path, chexpert: LabelSet
) -> None:
    inner = kind(chexpert, limit)
    augmenter = Augmenter(Index.open(index_folder), Recipe("context", 2), chexpert)
    labeler = WithNeighbours(inner, augmenter)
    (result,) = labeler.label_reports([report("x", QUERY)])
    (shown,) = augmenter.show([report("x", QUERY)])
    fitting = [lead for lead in shown.leads if len(lead + QUERY) <= limit]
    if not fitting:
        assert isinstance(result, Reject)
        assert inner.asked[-1] == QUERY
        return
    assert isinstance(result, Prediction)
    assert inner.asked[-1] == fitting[0] + QUERY
    left = shown.leads.index(fitting[0])
    told = f"neighbours left out, the prompt is too long: {left}"
    assert (told in result.notes) == bool(left)
    if kind is Measuring:
        assert len(inner.asked) == 1


def test_order_and_empty_reports_survive(index_folder: Path, chexpert: LabelSet) -> None:
    inner = Recorder(chexpert)
    augmenter = Augmenter(Index.open(index_folder), Recipe("context", 1), chexpert)
    asked = [report("x", QUERY), report("y", "  "), report("z", REPORTS["c"])]
    results = WithNeighbours(inner, augmenter).label_reports(asked)
    assert [result.id for result in results] == ["x", "y", "z"]
    assert inner.asked[1] == "  "


def test_equal_texts_of_other_patients_are_not_one_question(
    index_folder: Path, chexpert: LabelSet
) -> None:
    opened = Index.open(index_folder)
    labeler = WithNeighbours(Recorder(chexpert), Augmenter(opened, Recipe("context", 1), chexpert))
    knn = NearestNeighbours(opened, k=1)
    one, two = report("x", QUERY, "p1"), report("x", QUERY, "p2")
    for asked in (labeler, knn):
        assert key_of(asked, one) != key_of(asked, two)
        assert key_of(asked, one) == key_of(asked, replace(one, row=8))
    plain = Recorder(chexpert)
    assert key_of(plain, one) == key_of(plain, two)
