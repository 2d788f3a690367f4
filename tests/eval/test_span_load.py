"""Reading and aligning files of mentions: all forms of gold, and one line for each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from span_tools import FOUR_TYPES, WITH_CERTAINTIES, label_set, load_span_comparison, write_case

from eval.kinds.entities.file import joined_spans, read_spans
from eval.kinds.entities.read import SpanComparison
from eval.read.provenance import read_source
from labelwright.errors import ConfigError, InputError
from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.readers.options import ReadOptions

SET = label_set()
TEXT = "Fibrosis of the left lung. No drug."
DISEASE = {"type": "Disease", "spans": [[0, 8]], "text": "Fibrosis"}
LUNG = {"type": "Anatomy", "spans": [[16, 25]], "text": "left lung"}


def gold_file(folder: Path, *rows: dict[str, Any], name: str = "gold.jsonl") -> Path:
    write_jsonl(folder / name, rows)
    return folder / name


def row(*entities: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "a", "text": TEXT, "entities": list(entities)} | more


def load(folder: Path, gold: Path, *pred: dict[str, Any], **options: Any) -> SpanComparison:
    return load_span_comparison(
        gold, {"m": gold_file(folder, *pred, name="m.jsonl")}, SET, **options
    )


def test_every_form_of_the_same_gold_is_read_alike(tmp_path: Path) -> None:
    brat = tmp_path / "brat"
    brat.mkdir()
    (brat / "a.txt").write_text(TEXT, encoding="utf-8")
    (brat / "a.ann").write_text(
        "T1\tDisease 0 8\tFibrosis\nT2\tAnatomy 16 25\tleft lung\n", encoding="utf-8"
    )
    doccano = gold_file(
        tmp_path,
        {"id": "a", "text": TEXT, "label": [[0, 8, "Disease"], [16, 25, "Anatomy"]]},
        name="doccano.jsonl",
    )
    own = gold_file(tmp_path, row(DISEASE, LUNG))
    conll = tmp_path / "a.conll"
    tagged = [("Fibrosis", "B-Disease"), ("of", "O"), ("the", "O")]
    tagged += [("left", "B-Anatomy"), ("lung", "I-Anatomy"), (".", "O")]
    conll.write_text("".join(f"{word}\t{tag}\n" for word, tag in tagged), encoding="utf-8")
    read = {
        path.name: next(iter(read_spans(path, SET, ReadOptions(), gold=True).reports.values()))
        for path in (brat, doccano, own, conll)
    }
    places = {
        name: [(e.type, e.spans) for e in marked.entities or ()] for name, marked in read.items()
    }
    assert set(map(str, places.values())) == {
        str([("Disease", ((0, 8),)), ("Anatomy", ((16, 25),))])
    }


def test_types_may_be_keys_or_synonyms_in_any_case(tmp_path: Path) -> None:
    gold = gold_file(tmp_path, row(DISEASE | {"type": "dis"}, LUNG | {"type": "ANATOMY"}))
    found = load(tmp_path, gold, row(DISEASE | {"type": "Disorder"}))
    assert [e.type for e in found.gold[0]] == ["Disease", "Anatomy"]
    assert found.pred["m"][0][0].type == "Disease"


def test_parts_that_touch_are_one_place() -> None:
    assert joined_spans(((4, 6), (0, 2), (2, 4))) == ((0, 6),)
    assert joined_spans(((0, 2), (3, 4))) == ((0, 2), (3, 4))


def test_predictions_are_aligned_and_counted(tmp_path: Path) -> None:
    gold = gold_file(tmp_path, row(DISEASE), row(LUNG, id="b"), row(id="c"), row(id="d"))
    absent = {"type": "Drug", "spans": [], "text": "aspirin"}
    other = LUNG | {"text": "right lung"}
    found = load(
        tmp_path,
        gold,
        {"id": "b", "labels": {}, "entities": [absent, other]},
        {"id": "a", "labels": {}, "entities": None, "problems": ["no lines: x", "no lines: y"]},
        {"id": "c", "labels": {}, "entities": []},
        {"id": "z", "labels": {}, "entities": []},
    )
    coverage = found.coverage["m"]
    assert found.ids == ("a", "b", "c", "d")
    assert [len(m) for m in found.pred["m"]] == [0, 2, 0, 0]
    assert coverage.undetermined == ("a",)
    assert coverage.missing == ("d",)
    assert (coverage.rows, coverage.extra) == (4, 1)
    assert coverage.problems == {"no lines": 1}
    assert found.absent == {"m": 1}
    assert found.elsewhere == {"m": 1}
    assert found.gold_elsewhere == 0
    assert found.texts == (TEXT,) * 4
    dropped = load(tmp_path, gold, {"id": "b", "labels": {}, "entities": []}, missing="drop")
    assert (dropped.ids, dropped.dropped) == (("b",), ("a", "c", "d"))


def test_patients_and_texts_come_from_the_gold_or_from_beside_it(tmp_path: Path) -> None:
    gold = gold_file(
        tmp_path,
        {"id": "a", "entities": [DISEASE], "patient": "p"},
        {"id": "b", "entities": [], "patient": "p"},
        name="test.entities.jsonl",
    )
    alone = load(tmp_path, gold, row(DISEASE))
    assert alone.texts is None
    assert alone.clusters == ("p", "p")
    assert alone.gold_patients
    reports = [{"id": i, "text": TEXT} for i in "ab"]
    gold_file(tmp_path, *reports, name="test.reports.jsonl")
    assert load(tmp_path, gold, row(DISEASE)).texts == (TEXT, TEXT)
    people = [{"id": i, "patient": p} for i, p in zip("ab", "xy", strict=True)]
    files = {
        "patients": gold_file(tmp_path, *people, name="people.jsonl"),
        "reports": gold_file(tmp_path, reports[0], name="texts.jsonl"),
    }
    given = load(tmp_path, gold, row(DISEASE), **files)
    assert given.clusters == ("x", "y")
    assert given.texts is None


BAD_GOLD: dict[str, tuple[list[dict[str, Any]], str]] = {
    "type": ([row(DISEASE), row(LUNG | {"type": "Gene"}, id="b")], "gold.jsonl:2: type 'Gene'"),
    "no list": ([row(DISEASE), {"id": "b", "entities": None}], "gold.jsonl:2: the report has no"),
    "no place": ([row(DISEASE | {"spans": []})], "gold.jsonl:1: an entity of type Disease has no"),
    "outside": ([row(DISEASE | {"spans": [[30, 99]]})], "gold.jsonl:1: an entity ends after"),
    "spans": ([row(DISEASE | {"spans": [[8, 0]]})], "gold.jsonl:1: the row has no entities as"),
    "twice": ([row(DISEASE), row(LUNG)], "gold.jsonl:2: the id of row 1 stands again"),
    "empty id": ([row(DISEASE, id=" ")], "gold.jsonl:1: empty id"),
    "other ids": ([row(DISEASE, id="q")], "m.jsonl: no id of the gold stands in it"),
    "nothing": ([], "gold.jsonl: no reports"),
}


@pytest.mark.parametrize("name", BAD_GOLD)
def test_mistakes_in_the_gold_are_named_with_their_line(tmp_path: Path, name: str) -> None:
    rows, message = BAD_GOLD[name]
    with pytest.raises(InputError) as caught:
        load(tmp_path, gold_file(tmp_path, *rows), row(DISEASE))
    assert message in str(caught.value)
    assert "Fibrosis" not in str(caught.value)


def test_mistakes_in_predictions(tmp_path: Path) -> None:
    gold = gold_file(tmp_path, row(DISEASE))
    cases = {
        "type 'Gene' is not": {"id": "a", "labels": {}, "entities": [DISEASE | {"type": "Gene"}]},
        "ends after": {"id": "a", "labels": {}, "entities": [DISEASE | {"spans": [[0, 99]]}]},
        "the row holds labels": {"id": "a", "labels": {"Disease": "positive"}, "entities": []},
    }
    for message, bad in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            load(tmp_path, gold, bad)
        assert "m.jsonl:1" in str(caught.value)


def test_a_bad_brat_line_is_an_error_and_no_silent_loss(tmp_path: Path) -> None:
    brat = tmp_path / "brat"
    brat.mkdir()
    (brat / "a.txt").write_text(TEXT, encoding="utf-8")
    (brat / "a.ann").write_text("T1\tDisease 0 99\tFibrosis\n", encoding="utf-8")
    with pytest.raises(InputError, match="a report cannot be used"):
        read_spans(brat, SET, ReadOptions(), gold=True)


def test_certainties_are_asked_for_where_the_label_set_does(tmp_path: Path) -> None:
    asking = label_set(WITH_CERTAINTIES)
    gold = gold_file(tmp_path, row(DISEASE))
    with pytest.raises(InputError, match="has no certainty"):
        read_spans(gold, asking, ReadOptions(), gold=True)
    assert read_spans(gold, asking, ReadOptions()).reports  # an answer may lack it: it is wrong
    blank = gold_file(tmp_path, row(DISEASE | {"certainty": "blank"}), name="blank.jsonl")
    with pytest.raises(InputError, match="cannot be blank"):
        read_spans(blank, asking, ReadOptions())


def test_a_second_annotator_can_be_scored_like_a_labeler(tmp_path: Path) -> None:
    folder = write_case(tmp_path, {"m": 0.3}, count=5)
    found = load_span_comparison(
        folder / "gold.jsonl", {"second": folder / "gold.jsonl", "m": folder / "m"}, SET
    )
    assert found.pred["second"] == found.gold
    assert found.pred["m"] != found.gold


def label_studio(folder: Path, name: str, start: int, end: int) -> Path:
    region = {"type": "labels", "value": {"start": start, "end": end, "labels": ["Disease"]}}
    task = {"id": "a", "data": {"text": TEXT}, "annotations": [{"result": [region]}]}
    (folder / name).write_text(json.dumps([task]), encoding="utf-8")
    return folder / name


def test_what_is_said_of_the_gold_is_not_said_of_the_predictions(tmp_path: Path) -> None:
    """A gold file whose name tells nothing is read as it is said to be, predictions as they are."""
    gold = label_studio(tmp_path, "gold.export", 0, 8)
    told = label_studio(tmp_path, "second.json", 0, 8)
    untold = label_studio(tmp_path, "third.export", 0, 8)
    run = gold_file(tmp_path, {"id": "a", "labels": {}, "entities": [DISEASE]}, name="m.jsonl")
    own = gold_file(tmp_path, row(DISEASE), name="own.jsonl")
    how = ReadOptions(format="label-studio")
    files = {"run": run, "own": own, "told": told}
    found = load_span_comparison(gold, files, SET, reading=how)
    assert {len(mentions[0]) for mentions in found.pred.values()} == {1}
    assert all(mentions[0][0].spans == ((0, 8),) for mentions in found.pred.values())
    with pytest.raises(InputError, match="the suffix does not tell the format"):
        load_span_comparison(gold, {"x": untold}, SET, reading=how)
    read = load_span_comparison(gold, {"x": untold}, SET, reading=how, pred_reading={"x": how})
    assert read.pred["x"] == read.gold
    # The rows of a labeling run are what they are, whatever is said of all predictions.
    both = load_span_comparison(
        gold, {"x": untold, "run": run}, SET, reading=how, pred_reading={"": how}
    )
    assert [len(both.pred[name][0]) for name in ("x", "run")] == [1, 1]


def test_own_rows_by_any_name(tmp_path: Path) -> None:
    gold = gold_file(tmp_path, {"id": "a", "entities": [DISEASE]}, name="gold.export")
    found = load_span_comparison(
        gold, {"m": gold_file(tmp_path, row(DISEASE))}, SET, reading=ReadOptions(format="entities")
    )
    assert found.pred["m"] == found.gold


def test_options_that_mean_nothing_for_the_files(tmp_path: Path) -> None:
    own = gold_file(tmp_path, row(DISEASE))
    tagged = tmp_path / "a.conll"
    tagged.write_text("Fibrosis\tI-Disease\nof\tO\n", encoding="utf-8")
    bio = ReadOptions(tag_scheme="io")
    with pytest.raises(ConfigError, match="--tag-scheme does not apply to this input"):
        load_span_comparison(own, {"m": own}, SET, reading=bio)
    with pytest.raises(ConfigError, match="--tag-scheme does not apply to this input"):
        load_span_comparison(own, {"m": own}, SET, pred_reading={"": bio})
    files = {"m": own, "tagger": tagged}
    found = load_span_comparison(own, files, SET, pred_reading={"": bio})
    assert found.pred["tagger"] == found.gold


def test_words_may_be_left_out_where_there_are_spans(tmp_path: Path) -> None:
    bare = {k: v for k, v in DISEASE.items() if k != "text"}
    gold = gold_file(tmp_path, row(bare, LUNG | {"text": None}))
    found = load(tmp_path, gold, row(bare, LUNG))
    assert [e.text for e in found.gold[0]] == ["Fibrosis", "left lung"]
    assert found.gold == found.pred["m"]
    assert found.elsewhere == {"m": 0}
    with pytest.raises(InputError, match="the row has no entities as labelwright writes them"):
        load(tmp_path, gold, row({"type": "Disease", "spans": []}))


def test_white_space_at_edges_is_no_part_of_a_mention(tmp_path: Path) -> None:
    wide = {"type": "Anatomy", "spans": [[15, 25]], "text": " left lung"}
    beyond = {"type": "Disease", "spans": [[0, 9]], "text": "Fibrosis "}
    gold = gold_file(tmp_path, row(DISEASE, wide))
    found = load(tmp_path, gold, row(beyond, LUNG))
    assert found.gold == found.pred["m"]
    assert found.trimmed == {"": 1, "m": 1}
    keep = ReadOptions(mention_edges="keep")
    kept = load(tmp_path, gold, row(beyond, LUNG), reading=keep)
    assert kept.gold[0][1].spans == ((15, 25),)
    assert kept.trimmed == {"": 0, "m": 1}
    # Without the text a mention's own words show it.
    bare = [{"id": "a", "entities": [DISEASE, wide]}, {"id": "a", "entities": [beyond, LUNG]}]
    found = load(tmp_path, gold_file(tmp_path, bare[0], name="bare.jsonl"), bare[1])
    assert found.texts is None
    assert found.gold == found.pred["m"]
    space = {"type": "Disease", "spans": [[8, 9]]}
    with pytest.raises(InputError, match=r"gold.jsonl:1: an entity of type Disease covers white"):
        load(tmp_path, gold_file(tmp_path, row(space)), row(LUNG))
    gold = gold_file(tmp_path, row(DISEASE, wide))
    assert len(load(tmp_path, gold, row(space, LUNG)).pred["m"][0]) == 2  # a false positive


def test_types_of_several_words_as_other_formats_write_them(tmp_path: Path) -> None:
    several = label_set(FOUR_TYPES.replace("{name: Anatomy}", "{name: Body Part, synonyms: [a b]}"))
    for written in ("Body_Part", "body_part", "A_b", "Body Part"):
        conll = tmp_path / "a.conll"
        conll.write_text(f"Fibrosis\tB-{written}\nof\tO\n", encoding="utf-8")
        (marked,) = read_spans(conll, several, ReadOptions(), gold=True).reports.values()
        assert [e.type for e in marked.entities or ()] == ["Body Part"]


def test_gold_that_lacks_annotations_is_scored_only_where_that_was_asked_for(
    tmp_path: Path,
) -> None:
    brat = tmp_path / "brat"
    brat.mkdir()
    (brat / "a.txt").write_text(TEXT, encoding="utf-8")
    lines = "T1\tDisease 0 8\tFibrosis\nT2\tDisease 0 99\tFibrosis\n"
    (brat / "a.ann").write_text(f"{lines}R1\tIn Arg1:T1 Arg2:T1\t\n", encoding="utf-8")
    with pytest.raises(InputError, match="a report cannot be used"):
        load(tmp_path, brat, row(DISEASE))
    found = load(tmp_path, brat, row(DISEASE), reading=ReadOptions(bad_annotations="drop"))
    assert found.gold == found.pred["m"]
    assert found.lacking == {"": 1, "m": 0}


def test_where_mentions_came_from(tmp_path: Path) -> None:
    folder = write_case(tmp_path, {"m": 0.3}, count=3)
    run = read_source("m", folder / "m")
    assert run.sha256 == read_source("m", folder / "m" / "predictions.jsonl").sha256
    brat = tmp_path / "brat"
    brat.mkdir()
    (brat / "a.txt").write_text("one", encoding="utf-8")
    first = read_source("b", brat).sha256
    (brat / "a.txt").write_text("two", encoding="utf-8")
    assert read_source("b", brat).sha256 != first
    assert json.loads((folder / "gold.jsonl").read_text(encoding="utf-8").splitlines()[0])["text"]


def test_labels_where_mentions_are_asked_are_named_as_what_they_are(tmp_path: Path) -> None:
    """Not as a table without text: what does not fit is the task."""
    asked = LabelSet.load("disease-1")
    table, rows = tmp_path / "gold.csv", tmp_path / "predictions.jsonl"
    table.write_text("id,Edema\na,1\n", encoding="utf-8")
    write_jsonl(rows, [{"id": "a", "labels": {"Edema": "positive"}, "model": "m"}])
    said = "a table marks no mentions, and label set disease-1 asks for entities; give annotated"
    with pytest.raises(InputError, match=said):
        read_spans(table, asked, ReadOptions(), gold=True)
    with pytest.raises(InputError, match="the row holds labels, and label set disease-1 asks"):
        read_spans(rows, asked, ReadOptions())
