"""Long notes in windows: nothing lost, no half mention, the test split whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_builders.note_windows import Windows
from labelwright.cli import main
from labelwright.errors import ConfigError
from labelwright.records import Entity
from labelwright.tasks.entities.kind import KIND


def marked(text: str, *words: str) -> list[Entity]:
    return [Entity.of(text, "Disease", (text.index(w), text.index(w) + len(w))) for w in words]


TEXT = "One two three. Four five. Six seven eight nine. Ten eleven. Twelve."


def shown(text: str, windows: Windows, entities: list[Entity]) -> list[str]:
    return [text[w.start : w.end] for w in windows.divide("train", text, tuple(entities), KIND)]


def test_whole_sentences_with_overlap() -> None:
    # words per sentence: 3, 2, 4, 2, 1
    assert shown(TEXT, Windows(6, 2), []) == [
        "One two three. Four five.",
        "Four five. Six seven eight nine.",
        "Ten eleven. Twelve.",  # the four words of the sentence before are more than may be shared
    ]
    assert shown(TEXT, Windows(7, 4), []) == [
        "One two three. Four five.",
        "Four five. Six seven eight nine.",
        "Six seven eight nine. Ten eleven. Twelve.",
    ]
    assert shown(TEXT, Windows(12), []) == []


def test_a_sentence_longer_than_a_window_is_cut_between_words() -> None:
    text = "a b c d e f g. h."
    assert shown(text, Windows(3, 0), []) == ["a b c", "d e f", "g. h."]


def test_an_entity_keeps_its_sentences_together() -> None:
    windows = Windows(6, 2)
    text = TEXT
    over = marked(text, "nine. Ten")
    assert shown(text, windows, over) == [
        "One two three. Four five.",
        "Six seven eight nine. Ten eleven.",
        "Twelve.",
    ]
    apart = Entity.of(text, "Disease", (0, 3), (text.index("nine"), text.index("nine") + 4))
    assert shown(text, windows, [apart])[0] == "One two three. Four five. Six seven eight nine."
    assert windows.facts()["sentences_longer_than_a_window"] >= 1


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_every_word_and_every_entity_is_in_a_window(data: st.DataObject) -> None:
    word = st.text("abc", min_size=1, max_size=4)
    sentence = st.lists(word, min_size=1, max_size=12).map(lambda ws: " ".join(ws) + ".")
    text = data.draw(st.lists(sentence, min_size=1, max_size=8).map(" ".join))
    entities = []
    for _ in range(data.draw(st.integers(0, 5))):
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start + 1, min(len(text), start + 15)))
        entities.append(Entity.of(text, "Disease", (start, end)))
    entities = [e for e in entities if e.text == e.text.strip()]
    most = data.draw(st.integers(2, 12))
    windows = Windows(most, data.draw(st.integers(0, most - 1)))
    found = windows.divide("train", text, tuple(entities), KIND)
    if not found:
        assert len(text.split()) <= most
        return
    covered = {i for w in found for i in range(w.start, w.end)}
    assert all(i in covered for i, char in enumerate(text) if not char.isspace())
    assert [w.start for w in found] == sorted({w.start for w in found})
    assert [w.end for w in found] == sorted({w.end for w in found})
    inside = set()
    for window in found:
        piece = text[window.start : window.end]
        for entity in window.value:
            (span,) = entity.spans
            assert piece[span[0] : span[1]] == entity.text
            inside.add((span[0] + window.start, span[1] + window.start))
        # an entity that a window shows at all, it shows whole
        for entity in entities:
            if entity.start < window.end and window.start < entity.end:
                assert window.start <= entity.start
                assert entity.end <= window.end
        if not entities:
            assert len(piece.split()) <= most
    assert inside == {e.spans[0] for e in entities}


def test_overlap_must_be_smaller() -> None:
    with pytest.raises(ConfigError, match="windows of 5 words cannot overlap by 5"):
        Windows(5, 5)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_records_are_windows_but_texts_and_the_test_split_are_whole(tmp_path: Path) -> None:
    source, table, out = tmp_path / "n.jsonl", tmp_path / "s.csv", tmp_path / "out"
    notes = []
    for number in range(4):
        text = f"Note {number} says gout. " + "Then come more words. " * 5 + "At last there is flu."
        at = text.index("flu")
        entity = {"type": "Disease", "spans": [[at, at + 3]], "text": "flu"}
        notes.append({"id": f"n{number}", "text": text, "entities": [entity]})
    notes[1]["text"], notes[1]["entities"] = "Short note.", []
    source.write_text("".join(json.dumps(note) + "\n" for note in notes))
    table.write_text("id,split\nn0,train\nn1,train\nn2,validation\nn3,test\n")
    base = ["build", str(source), "--label-set", "disease-1", "--split-file", str(table)]
    assert main([*base, "--windows", "13", "--window-overlap", "4", "--out", str(out)]) == 0
    train = rows(out / "train.jsonl")
    assert [r["id"] for r in train] == ["n0#1", "n0#2", "n0#3", "n1"]
    last = train[2]
    start, end = last["meta"]["span"]
    assert last["meta"]["window_of"] == "n0"
    assert last["prompt"][1]["content"] == notes[0]["text"][start:end]
    assert last["completion"][0]["content"] == "Disease: flu"
    assert train[0]["completion"][0]["content"] == "none"
    assert "window_of" not in train[3]["meta"]
    assert [r["id"] for r in rows(out / "train.entities.jsonl")] == ["n0", "n1"]
    assert [r["id"] for r in rows(out / "validation.jsonl")] == ["n2#1", "n2#2", "n2#3"]
    assert [r["id"] for r in rows(out / "test.jsonl")] == ["n3"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["windows"] == {
        "words": 13,
        "overlap": 4,
        "notes_divided": {"train": 1, "validation": 1},
        "windows": {"train": 3, "validation": 3},
        "sentences_longer_than_a_window": 0,
    }
    assert manifest["counts"]["records"] == 4


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ("--window-overlap", "3"),
            "--window-overlap is for --windows; leave --window-overlap out",
        ),
        (("--windows", "3", "--window-overlap", "3"), "windows of 3 words cannot overlap by 3"),
        (("--windows", "0"), "argument --windows: must be a whole number of at least 1"),
    ],
)
def test_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], words: str
) -> None:
    source = tmp_path / "n.jsonl"
    source.write_text('{"id": "a", "text": "No flu.", "entities": []}\n')
    base = ["build", str(source), "--label-set", "disease-1", "--out", str(tmp_path / "out")]
    try:
        code = main([*base, *flags])
    except SystemExit as exit_:
        code = int(str(exit_.code))
    assert code == 2
    assert words in capsys.readouterr().err
