from __future__ import annotations

import json
from pathlib import Path

import pytest
from neighbour_tools import Recorder

from data_builders.build import Job, build
from data_builders.neighbours import with_neighbours
from data_builders.sources.labels import KnownLabels
from data_builders.splits.split_plan import SplitOptions
from data_builders.synthetic.reports import write_reports
from labelwright.errors import ConfigError, InputError
from labelwright.io.jsonl import read_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Report
from labelwright.tasks.certainty.answer import parse, render
from retrieval.augment import Augmenter, Lead, Recipe, WithNeighbours
from retrieval.embedders import embedder_for
from retrieval.index import Index
from retrieval.index_build import Plan, build_index
from retrieval.index_shards import Entry


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
            r["id"]: parse(label_set, r["completion"][0]["content"], ended=True).value
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
    assert Lead(("",), (), ()).leads[-1] == ""
    assert render(LabelSet.load("head-ct-5"), {}).endswith(".")
