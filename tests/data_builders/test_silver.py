"""Silver labels: phrases, a teacher's answers in three forms, repairs, filters, verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_builders.sources.silver import FILTERS, REPAIRS, SilverAnswers
from labelwright.cli import main
from labelwright.commands.building import flags
from labelwright.commands.phrases import phrase_spans
from labelwright.errors import InputError
from labelwright.io.jsonl import write_jsonl
from labelwright.records import Report

LABELS = (
    "name: signs\nversion: '1'\ntask: entities\ninstruction: 'Mark {labels}.'\n"
    "labels: [{name: Target}]\n"
)
PHRASES = {
    "a#1": "Dolore toracico da ieri sera.",
    "a#2": "Nega febbre.",
    "a#3": "Pressione arteriosa nella norma oggi.",
    "b#1": "Edema declive agli arti inferiori.",
    "b#2": "dolore toracico da ieri  sera.",
    "b#3": "Familiarità per diabete mellito tipo due.",
}


def marked(rows: list[dict[str, Any]], tmp_path: Path, **more: Any) -> dict[str, Any]:
    path = tmp_path / "teacher.jsonl"
    write_jsonl(path, rows)
    answers = SilverAnswers(path, only_type="Target", **more)
    found = {}
    for row in rows:
        name = row["id"]
        one = answers.entities(Report(name, PHRASES[name], "x", 1))
        found[name] = one.reason or [(e.type, e.text) for e in one.entities]
    return {"found": found, **answers.describe()["label_lists"]}


def test_all_forms_of_answers_say_the_same(tmp_path: Path) -> None:
    said = [("Target", "Dolore toracico")]
    text = PHRASES["a#1"]
    for row in (
        {"labels": ["B-Target", "I-Target", "O", "O", "O"]},
        {"labels": ["B", "I", "0", "0", "O"]},
        {"labels": ["I", "I", "O", "O", "O"]},
        {"marked": "<Target>Dolore toracico</Target> da ieri sera."},
        {"marked": "<Target>Dolore\n toracico </Target>da ieri sera."},
        {"entities": [{"type": "Target", "text": "dolore toracico"}]},
        {"labels": {}, "entities": [{"type": "Target", "spans": [[0, 15]], "text": text[:15]}]},
    ):
        assert marked([{"id": "a#1", **row}], tmp_path)["found"] == {"a#1": said}, row


def test_lists_of_wrong_length_are_counted_and_every_repair_is_recorded(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a#1", "labels": ["B", "I", "O", "O", "O"]},
        {"id": "a#2", "labels": ["O", "B", "O", "0"]},
        {"id": "b#1", "labels": ["B", "I"]},
    ]
    long, short = (f"labels {kind} than the phrase has words" for kind in ("longer", "shorter"))
    edema = [("Target", "Edema declive")]
    fever = [("Target", "febbre.")]
    wanted = {
        "drop": (long, short, {}),
        "pad": (long, edema, {"b#1": "padded by 3"}),
        "cut": (fever, short, {"a#2": "cut by 2"}),
        "pad-and-cut": (fever, edema, {"a#2": "cut by 2", "b#1": "padded by 3"}),
    }
    assert tuple(wanted) == REPAIRS == flags.REPAIRS
    for repair, (second, third, repaired) in wanted.items():
        told = marked(rows, tmp_path, repair=repair)
        assert (told["found"]["a#2"], told["found"]["b#1"]) == (second, third)
        assert told["repaired"] == repaired
        assert told["lengths"] == {"equal": 1, "longer by 2": 1, "shorter by 3": 1}
        assert told["zeros_read_as_O"] == 1


def test_what_cannot_be_read_is_a_reason(tmp_path: Path) -> None:
    other = {"id": "a#1", "marked": "<Target>Dolore</Target> addominale."}
    assert marked([other], tmp_path)["found"]["a#1"] == "the marked phrase has other words"
    (tmp_path / "bad.jsonl").write_text('{"id": "a"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="no answer of a teacher"):
        SilverAnswers(tmp_path / "bad.jsonl")


def test_phrases_to_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts: dict[str, list[str]] = {}
    for name, text in PHRASES.items():
        texts.setdefault(name[0], []).append(text)
    letters = [{"id": name, "text": "\n\n ".join(lines)} for name, lines in texts.items()]
    write_jsonl(tmp_path / "letters.jsonl", letters)
    asked = [str(tmp_path / "letters.jsonl"), "--out", str(tmp_path / "phrases.jsonl")]
    assert main(["phrases", *asked]) == 0
    assert "2 documents, 6 phrases" in capsys.readouterr().out
    lines = (tmp_path / "phrases.jsonl").read_text(encoding="utf-8").splitlines()
    assert {row["id"]: row["text"] for row in map(json.loads, lines)} == PHRASES
    assert {row["patient"] for row in map(json.loads, lines)} == {"a", "b"}
    said = {"a#1": "Dolore toracico", "b#1": "Edema", "b#2": "dolore toracico"}
    said |= {"b#3": "diabete mellito", "a#2": "febbre"}
    rows = [
        {"id": n, "entities": [{"type": "Target", "text": said[n]}] if n in said else []}
        for n in PHRASES
    ]
    write_jsonl(tmp_path / "teacher.jsonl", rows)
    (tmp_path / "signs.yaml").write_text(LABELS, encoding="utf-8")
    (tmp_path / "seen.csv").write_text("id,verdict\nb#3,discard\n", encoding="utf-8")
    build = [
        "build", str(tmp_path / "phrases.jsonl"), "--label-set", str(tmp_path / "signs.yaml"),
        "--silver", str(tmp_path / "teacher.jsonl"), "--split", "none",
        "--silver-filter", "none,short,single,duplicates",
        "--silver-verdicts", str(tmp_path / "seen.csv"), "--out", str(tmp_path / "data"),
    ]  # fmt: skip
    assert main(build) == 0
    manifest = json.loads((tmp_path / "data/manifest.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["records"] == 1
    assert manifest["counts"]["rejected_by_reason"] == {
        "discarded by a person": 1, FILTERS["duplicates"]: 1, FILTERS["none"]: 1,
        FILTERS["short"]: 1, FILTERS["single"]: 1,
    }  # fmt: skip
    assert tuple(FILTERS) == flags.FILTERS
    assert main([*build[:4], "--silver-repair", "pad", "--out", str(tmp_path / "no")]) == 2
    assert "--silver-repair is for --silver" in capsys.readouterr().err


def test_phrases_by_line_and_by_sentence() -> None:
    text = "One two. Three.\n\n  Four \n"
    lines = [text[start:end] for start, end in phrase_spans(text, "newline")]
    assert lines == ["One two. Three.", "Four"]
    assert [text[a:b] for a, b in phrase_spans(text, "sentence")] == ["One two.", "Three.", "Four"]
