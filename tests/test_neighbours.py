from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.knn import NearestNeighbours
from baselines.rules import RulesLabeler
from data_builders.build import Job, build
from data_builders.label_sources import KnownLabels
from data_builders.neighbours import with_neighbours
from data_builders.plan import SplitOptions
from data_builders.synthetic import write_reports
from labelwright.certainty import parse, render
from labelwright.errors import ConfigError, InputError
from labelwright.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.labeler import key_of
from labelwright.records import Certainty, Prediction, Reject, Report
from retrieval.augment import Augmenter, Recipe, Shown, answer_of, report_part
from retrieval.embed import embedder_for
from retrieval.index import Index, Neighbour
from retrieval.index_build import Plan, build_index
from retrieval.index_shards import Entry
from retrieval.with_neighbours import WithNeighbours

REPORTS = {
    "a": "Small left pleural effusion. Heart size is normal.",
    "b": "Small left pleural effusion. Heart is large.",
    "c": "No pneumothorax. The lungs are clear.",
    "d": "Right rib fracture. No effusion.",
    "e": "Small left pleural effusion is seen again. Heart size is normal.",
}
PATIENTS = {"a": "p1", "b": "p1", "c": None, "d": "p2", "e": "p3"}


@pytest.fixture(scope="module")
def index_folder(tmp_path_factory: pytest.TempPathFactory, chexpert: LabelSet) -> Path:
    rules = RulesLabeler.for_label_set(chexpert)
    reports = [
        Report(name, text, "s", row, PATIENTS[name])
        for row, (name, text) in enumerate(REPORTS.items(), start=1)
    ]
    labels = {r.id: r.labels for r in rules.label_reports(reports) if isinstance(r, Prediction)}
    entries = [
        Entry(report, "test" if report.id == "e" else "train", {**labels[report.id]})
        for report in reports
    ]
    out = tmp_path_factory.mktemp("index") / "idx"
    build_index(out, lambda: iter(entries), embedder_for("hashed"), Plan({}, label_set=chexpert))
    return out


def report(identifier: str, text: str, patient: str | None = None) -> Report:
    return Report(identifier, text, "q", 1, patient)


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
    labels = parse(chexpert, line, ended=True).labels
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


def test_spans_of_the_report_alone() -> None:
    assert report_part("1234", [[0, 3], [3, 6], [5, 9]]) == [[0, 2], [1, 5]]
    assert report_part("", [[0, 3]]) == [[0, 3]]


class Recorder:
    """Answers all blank and keeps what it was asked; texts beyond ``limit`` are too long."""

    def __init__(self, label_set: LabelSet, limit: int = 10_000) -> None:
        self.label_set = label_set
        self.name = "recorder"
        self.limit = limit
        self.asked: list[str] = []

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "recorder"}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        self.asked += [r.text for r in reports]
        blank = dict.fromkeys(self.label_set.names, Certainty.BLANK)
        return [
            Reject(r.id, r.source, r.row, "too long for the model: 9")
            if len(r.text) > self.limit
            else Prediction(
                r.id, blank, self.name, evidence={"Edema": [[0, 5], [len(r.text) - 5, len(r.text)]]}
            )
            for r in reports
        ]


class Measuring(Recorder):
    def fits(self, texts: Sequence[str]) -> list[bool]:
        return [len(text) <= self.limit for text in texts]


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
    first = [] if fitting[0] else [[0, 5]]
    assert result.evidence == {"Edema": [*first, [len(QUERY) - 5, len(QUERY)]]}
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


def test_neighbours_vote_with_their_similarity(index_folder: Path) -> None:
    index = Index.open(index_folder)
    query = report("x", REPORTS["b"], None)
    (result,) = NearestNeighbours(index, k=3).label_reports([query])
    assert isinstance(result, Prediction)
    vectors = index.embedder().texts([query.text])
    (found,) = index.search(vectors, k=3, ids=["x"], patients=[None])
    total = sum(n.similarity for n in found)
    positive = sum(
        n.similarity for n in found if (n.labels or {})["Pleural Effusion"] == "positive"
    )
    assert result.probs is not None
    given_ = result.probs["Pleural Effusion"]
    assert given_["positive"] == pytest.approx(positive / total, abs=2e-6)
    assert sum(given_.values()) == pytest.approx(1, abs=5e-6)
    assert result.labels["Pleural Effusion"] is Certainty.POSITIVE
    assert result.model == "knn-3"


def test_votes_obey_the_label_set(index_folder: Path, chexpert: LabelSet) -> None:
    knn = NearestNeighbours(Index.open(index_folder), k=4)
    for name, text in REPORTS.items():
        (result,) = knn.label_reports([report(name, text, PATIENTS[name])])
        assert isinstance(result, Prediction)
        assert not chexpert.contradictions(result.labels)


def test_voters_need_labels_and_a_split(tmp_path: Path, index_folder: Path) -> None:
    entries = [Entry(report("a", "Some text."), "train", None)]
    build_index(tmp_path / "bare", lambda: iter(entries), embedder_for("hashed"), Plan({}))
    with pytest.raises(ConfigError, match="certainty labels"):
        NearestNeighbours(Index.open(tmp_path / "bare"), k=1)
    with pytest.raises(ConfigError, match="no split dev"):
        NearestNeighbours(Index.open(index_folder), k=1, split="dev")


def test_a_report_without_neighbours_is_a_reject(tmp_path: Path, chexpert: LabelSet) -> None:
    labels = dict.fromkeys(chexpert.names, Certainty.BLANK)
    entries = [Entry(report("a", "Some text."), "train", labels)]
    plan = Plan({}, label_set=chexpert)
    build_index(tmp_path / "one", lambda: iter(entries), embedder_for("hashed"), plan)
    knn = NearestNeighbours(Index.open(tmp_path / "one"), k=1)
    results = knn.label_reports([report("a", "Some text."), report("b", " ")])
    assert [r.reason for r in results if isinstance(r, Reject)] == [
        "no neighbour with labels",
        "the report is empty",
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, chexpert: LabelSet) -> Path:
    known = KnownLabels(write_reports(chexpert, 60, 5))
    folder = tmp_path_factory.mktemp("data") / "plain"
    split = SplitOptions(ratios="0.6,0.2,0.2")
    build(known.reports(), Job(chexpert, known, split=split), folder)
    return folder


def data_index(data: Path, out: Path, label_set: LabelSet, *, swap: bool = False) -> Path:
    """The folder's reports as an index; ``swap`` calls its test reports train."""
    entries = []
    for split in ("train", "validation", "test"):
        answers = {
            r["id"]: parse(label_set, r["completion"][0]["content"], ended=True).labels
            for _, r in read_jsonl(data / f"{split}.jsonl")
        }
        for row, r in read_jsonl(data / f"{split}.reports.jsonl"):
            made = Report(r["id"], r["text"], "s", row, r["patient"])
            name = "train" if swap else split
            entries.append(Entry(made, name, {k: v for k, v in answers[r["id"]].items() if v}))
    build_index(out, lambda: iter(entries), embedder_for("hashed"), Plan({}, label_set=label_set))
    return out


@pytest.mark.parametrize("method", ["context", "few-shot"])
def test_a_data_folder_with_neighbours(
    method: str, data: Path, tmp_path: Path, chexpert: LabelSet
) -> None:
    index = data_index(data, tmp_path / "idx", chexpert)
    told = with_neighbours(data, index, Recipe(method, 2), tmp_path / "out")
    train = {r["id"]: r for _, r in read_jsonl(data / "train.jsonl")}
    for split in ("train", "validation", "test"):
        before = [r for _, r in read_jsonl(data / f"{split}.jsonl")]
        after = [r for _, r in read_jsonl(tmp_path / "out" / f"{split}.jsonl")]
        assert told.records[split] == len(before) == len(after)
        for old, new in zip(before, after, strict=True):
            assert new["completion"] == old["completion"]
            assert new["prompt"][0] == old["prompt"][0]
            lead, _, body = new["prompt"][1]["content"].rpartition("Report to label:\n")
            assert body == old["prompt"][1]["content"]
            assert len(new["meta"]["neighbours"]) == 2
            for identifier in new["meta"]["neighbours"]:
                assert identifier != old["id"]
                shown = train[identifier]
                assert shown["prompt"][1]["content"].strip() in lead
                answer = shown["completion"][0]["content"]
                assert (f"\nAnswer: {answer}" in lead) == (method == "few-shot")
        for kind in (".reports.jsonl", ".labels.csv"):
            name = split + kind
            assert (tmp_path / "out" / name).read_bytes() == (data / name).read_bytes()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["neighbours"]["recipe"]["embedder"] == "hashed:1024"
    assert manifest["neighbours"]["records_by_neighbours"] == {"2": 60}
    assert (tmp_path / "out" / "train.jsonl").stat().st_mode & 0o777 == 0o600


def test_an_index_of_another_split_is_refused(
    data: Path, tmp_path: Path, chexpert: LabelSet
) -> None:
    index = data_index(data, tmp_path / "idx", chexpert, swap=True)
    with pytest.raises(InputError, match="in split validation here and in train of the index"):
        with_neighbours(data, index, Recipe("context", 1), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_records_that_show_neighbours_are_not_given_more(
    data: Path, tmp_path: Path, chexpert: LabelSet
) -> None:
    index = data_index(data, tmp_path / "idx", chexpert)
    with_neighbours(data, index, Recipe("context", 1), tmp_path / "out")
    with pytest.raises(InputError, match="already"):
        with_neighbours(tmp_path / "out", index, Recipe("context", 1), tmp_path / "more")
    with pytest.raises(ConfigError, match="itself"):
        with_neighbours(data, index, Recipe("context", 1), data, overwrite=True)


def test_training_and_labeling_write_the_same_prompt(
    data: Path, tmp_path: Path, chexpert: LabelSet
) -> None:
    index = data_index(data, tmp_path / "idx", chexpert)
    recipe = Recipe("few-shot", 3, words=90)
    with_neighbours(data, index, recipe, tmp_path / "out")
    records = [r for _, r in read_jsonl(tmp_path / "out" / "test.jsonl")]
    reports = [
        Report(r["id"], r["text"], "s", row, r["patient"])
        for row, r in read_jsonl(data / "test.reports.jsonl")
    ]
    inner = Recorder(chexpert)
    WithNeighbours(inner, Augmenter(Index.open(index), recipe, chexpert)).label_reports(reports)
    assert inner.asked == [record["prompt"][1]["content"] for record in records]


def test_shown_without_neighbours_is_the_report_alone() -> None:
    assert Shown(("",), (), ()).leads[-1] == ""
    assert render(LabelSet.load("head-ct-5"), {}).endswith(".")
