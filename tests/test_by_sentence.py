"""Reading by sentence: what is asked, how the answers are put together, what is remembered."""

from __future__ import annotations

import csv
import itertools
import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import REPORTS
from decoding_tools import KNEE, B, N, P, U, make_loaded
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import by_sentence
from inference.answer import Answer, DecodeOptions, Decoder
from inference.by_sentence import ASIDE, MOST_SENTENCES, Asked, SentenceReader, sentences, together
from inference.labeler import Labeler, LabelerOptions
from inference.load import Loaded
from inference.one_pass import OnePass
from inference.prompts import Prompt, PromptWriter, Refusal
from labelwright.checkpoint import TASK_FILE
from labelwright.cli import main
from labelwright.errors import CheckpointError, ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report, Section
from labelwright.sections import Composer

SAID = (P, U, N, B)
"""What outweighs what, the strongest first."""
NOTHING = "the report says nothing beside indication, comparison and the like"


def asked_of(text: str, sections: Sequence[Section] = ()) -> list[str]:
    """The sentences that are asked; each must stand in the text where it is said to stand."""
    found = sentences(text, sections)
    assert not isinstance(found, Refusal), found
    for sentence, places in found.items():
        for start, end in places:
            assert text[start:end].split() == sentence.split()
    return list(found)


def answered(**said: Mapping[Certainty, float]) -> Answer:
    """An answer of the model to one sentence; observations left out are blank."""
    probs = {
        name: dict.fromkeys(_allowed(name), 0.0) | dict(said.get(name.replace(" ", "_"), {B: 1.0}))
        for name in KNEE.names
    }
    labels: dict[str, Certainty | None] = {
        name: max(row, key=row.__getitem__) for name, row in probs.items()
    }
    written = {name: {c.value: p for c, p in row.items()} for name, row in probs.items()}
    return Answer(labels, "", (), (), 0.25, written)


def _allowed(name: str) -> tuple[Certainty, ...]:
    return next(label.certainties for label in KNEE.labels if label.name == name)


def places(count: int) -> list[list[tuple[int, int]]]:
    return [[(10 * number, 10 * number + 9)] for number in range(count)]


def whole(*answers: Answer) -> Answer:
    return together(KNEE, Asked(places(len(answers)), answers))


# What is asked


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Clear lungs. No effusion.", ["Clear lungs.", "No effusion."]),
        ("FINDINGS: Clear lungs.\nIMPRESSION: Normal.", ["Clear lungs.", "Normal."]),
        ("FINDINGS:\n\nClear lungs.\n\nIMPRESSION:\n\nNormal.", ["Clear lungs.", "Normal."]),
        ("INDICATION: Cough.\nFINDINGS: Clear.\nCOMPARISON: None.", ["Clear."]),
        ("History: edema. The lungs are clear.", ["The lungs are clear."]),
        ("Large heart COMPARISON: none IMPRESSION: Normal.", ["Large heart", "Normal."]),
        ("FINDINGS: Large heart IMPRESSION: Cardiomegaly.", ["Large heart", "Cardiomegaly."]),
        ("FINDINGS:\nLUNGS: Clear.\nHEART: Normal.", ["LUNGS: Clear.", "HEART: Normal."]),
        ("IMPRESSION: 1. Edema.\n2. A 2.5 cm mass. 3) No.", ["Edema.", "A 2.5 cm mass.", "No."]),
        ("- Edema\n- (2) 1.5 cm nodule\n• No mass", ["Edema", "1.5 cm nodule", "No mass"]),
        ("The heart\nis   mildly\r\n\tenlarged.", ["The heart is mildly enlarged."]),
        ("Clear. 5.\n\n- - -\n\nNormal.", ["Clear.", "Normal."]),
        ("肺野清晰。没有气胸。", ["肺野清晰。", "没有气胸。"]),
    ],
)  # fmt: skip
def test_what_is_asked(text: str, wanted: list[str]) -> None:
    assert asked_of(text) == wanted


def test_only_sections_aside_are_skipped() -> None:
    headings = {
        "indication": "INDICATION", "history": "HISTORY", "comparison": "COMPARISON",
        "technique": "TECHNIQUE", "examination": "EXAMINATION", "date": "DATE",
        "signature": "DICTATED BY", "notification": "NOTIFICATION",
    }  # fmt: skip
    assert set(headings) == ASIDE
    for heading in headings.values():
        text = f"FINDINGS: Clear.\n{heading}: Effusion was known."
        assert asked_of(text) == ["Clear."]
    for heading in ("COMMENT", "ADDENDUM", "WET READ", "RECOMMENDATIONS", "CONCLUSION"):
        text = f"FINDINGS: Clear.\n{heading}: Effusion is new."
        assert asked_of(text) == ["Clear.", "Effusion is new."]


def test_sections_that_a_reader_knows_count_and_may_have_headings_inside() -> None:
    text, sections = Composer(("indication", "report")).join(
        ("Effusion?", "HISTORY: Edema.\nFINDINGS: No effusion.")
    )
    assert asked_of(text, sections) == ["No effusion."]
    text, sections = Composer(("history", "findings")).join(("Edema.", "Clear. No effusion."))
    assert asked_of(text, sections) == ["Clear.", "No effusion."]
    assert asked_of("Edema. Clear.", [Section("history", 0, 6), Section("body", 7, 13)]) == [
        "Clear."
    ]


def test_a_sentence_that_stands_twice_is_asked_once_and_has_both_places() -> None:
    text = "FINDINGS: 😀 Small\nmass. Clear.\nIMPRESSION: 1. Clear. 2. 😀 Small mass."
    again = text.rindex("😀")
    assert sentences(text) == {
        "😀 Small mass.": [(10, 23), (again, len(text))],
        "Clear.": [(24, 30), (46, 52)],
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the report is empty"),
        (" \n\t", "the report is empty"),
        ("12.5 / 3. 4.", "the report holds no words"),
        ("IMPRESSION: 1. 2.", "the report holds no words"),
        ("INDICATION: Cough.", NOTHING),
        ("COMPARISON: None.\nTECHNIQUE: Two views.", NOTHING),
        ("FINDINGS:", NOTHING),
        ("A mass. " * (MOST_SENTENCES + 1), f"more than {MOST_SENTENCES:,} sentences"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(text: str, reason: str) -> None:
    assert sentences(text) == Refusal(reason)


@given(st.text(alphabet="aB1.:;-\n İﬁ。\u00a0FINDGS", max_size=60))
def test_any_text_is_asked_where_it_stands(text: str) -> None:
    found = sentences(text)
    if isinstance(found, Refusal):
        assert found.reason
        return
    spans = sorted(span for own in found.values() for span in own)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    asked_of(text)
    assert all(any(char.isalpha() for char in sentence) for sentence in found)


# How answers are put together


@st.composite
def distributions(draw: st.DrawFn) -> dict[str, dict[Certainty, float]]:
    found = {}
    for name in KNEE.names:
        weights = [draw(st.integers(0, 9)) for _ in _allowed(name)]
        weights[-1] += 1
        found[name.replace(" ", "_")] = dict(
            zip(_allowed(name), (w / sum(weights) for w in weights), strict=True)
        )
    return found


@settings(deadline=None)
@given(st.lists(distributions(), min_size=1, max_size=3))
def test_probabilities_are_those_of_all_combinations_of_independent_sentences(
    given_: list[dict[str, dict[Certainty, float]]],
) -> None:
    found = whole(*(answered(**row) for row in given_))
    assert found.probs is not None
    for name in KNEE.names:
        rows = [row[name.replace(" ", "_")] for row in given_]
        wanted = dict.fromkeys(_allowed(name), 0.0)
        all_positive = math.prod(row[P] for row in rows)
        for said in itertools.product(_allowed(name), repeat=len(rows)):
            strongest = next(c for c in SAID if c in said)
            wanted[strongest] += math.prod(row[c] for row, c in zip(rows, said, strict=True))
        if name == "Normal":  # it heads the rule of KNEE
            wanted = {P: all_positive, B: 1 - all_positive}
        assert found.probs[name] == pytest.approx({c.value: p for c, p in wanted.items()}, abs=2e-6)
    assert not KNEE.contradictions({k: v for k, v in found.labels.items() if v is not None})
    assert found.problems == ()


def test_two_doubtful_sentences_by_hand() -> None:
    """Positive 1 - 0.7·0.6 = 0.58; positive or uncertain 1 - 0.1·0.2 = 0.98; blank 0.05·0.1."""
    found = whole(
        answered(Meniscal_Tear={P: 0.3, U: 0.6, N: 0.05, B: 0.05}),
        answered(Meniscal_Tear={P: 0.4, U: 0.4, N: 0.1, B: 0.1}),
    )
    assert found.probs is not None
    assert found.probs["Meniscal Tear"] == pytest.approx(
        {"positive": 0.58, "uncertain": 0.40, "negative": 0.015, "blank": 0.005}
    )
    assert found.labels["Meniscal Tear"] is P


def test_no_finding_needs_every_sentence_and_gives_way_to_a_finding() -> None:
    sure = {P: 0.9, B: 0.1}
    found = whole(*[answered(Normal=sure)] * 3)
    assert found.probs is not None
    assert found.probs["Normal"] == {"positive": 0.729, "blank": 0.271}
    assert found.labels["Normal"] is P
    found = whole(*[answered(Normal=sure)] * 7)
    assert found.labels["Normal"] is B, "0.9 to the 7th is 0.48"
    against = answered(Normal={P: 0.8, B: 0.2}, Cyst={P: 0.7, N: 0.0, B: 0.3})
    found = whole(answered(Normal={P: 1.0, B: 0.0}), against)
    assert (found.labels["Normal"], found.labels["Cyst"]) == (P, B), "0.8·0.3 is more than 0.2·0.7"
    assert found.notes == ("rule: Cyst",)


def test_evidence_are_the_sentences_that_say_it_else_the_nearest_one() -> None:
    found = whole(
        answered(Cyst={P: 0.0, N: 1.0, B: 0.0}, Meniscal_Tear={P: 0.45, U: 0.0, N: 0.0, B: 0.55}),
        answered(Cyst={P: 0.9, N: 0.1, B: 0.0}, Meniscal_Tear={P: 0.4, U: 0.0, N: 0.0, B: 0.6}),
        answered(Cyst={P: 0.8, N: 0.1, B: 0.1}),
    )
    assert found.labels == {
        "Meniscal Tear": P, "Joint Effusion": B, "Bone Bruise": B, "Cyst": P, "Normal": B,
    }  # fmt: skip
    assert found.evidence == {"Cyst": [[10, 19], [20, 29]], "Meniscal Tear": [[0, 9]]}
    assert "Normal" not in (whole(answered(Normal={P: 1.0, B: 0.0})).evidence or {})


def test_without_probabilities_the_strongest_word_counts() -> None:
    one, other = (
        Answer(dict(zip(KNEE.names, said, strict=True)), raw, (), notes, 0.25)
        for said, raw, notes in (
            ((N, B, None, P, P), "first", ("windows: 2",)),
            ((U, B, P, None, B), "second", ()),
        )
    )
    found = whole(one, other)
    assert dict(zip(KNEE.names, (U, B, P, P, B), strict=True)) == found.labels
    assert (found.raw, found.probs) == ("first\nsecond", None)
    assert found.notes == ("windows: 2",), "of a long sentence; sentences are no windows"
    assert found.evidence == {
        "Meniscal Tear": [[10, 19]], "Bone Bruise": [[10, 19]], "Cyst": [[0, 9]],
    }  # fmt: skip
    assert whole(other, replace(other, labels={**other.labels, "Cyst": B})).labels["Cyst"] is None


# With a model


class Counted:
    """A model's own decoder; remembers how many prompts each call gave it."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.calls: list[int] = []
        self.room = decoder.room
        self.describe = decoder.describe

    def decode(self, prompts: Sequence[Prompt]) -> list[Answer]:
        self.calls.append(len(prompts))
        return self.decoder.decode(prompts)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """A model with random weights whose answers differ from sentence to sentence."""
    return make_loaded("qwen2", KNEE)


def reader_of(loaded: Loaded, long: str = "windows") -> tuple[SentenceReader, Counted]:
    counted = Counted(OnePass(loaded, DecodeOptions(batch_size=4, batch_tokens=512)))
    writer = PromptWriter(loaded, room=counted.room)
    return SentenceReader(loaded.label_set, writer, counted, long=long), counted


def read(reader: SentenceReader, *texts: str) -> list[Answer | Refusal]:
    return reader.read(texts, [()] * len(texts))


def without_time(answer: Answer | Refusal) -> Answer:
    assert isinstance(answer, Answer), answer
    return replace(answer, seconds=0.0)


def test_a_sentence_is_asked_once_for_all_reports(loaded: Loaded) -> None:
    reader, counted = reader_of(loaded)
    first = read(reader, "A mass. Clear. A mass.", "Clear.", "1.  Clear.\nA\nmass.")
    assert counted.calls == [2]
    again = read(reader, "Clear. A mass.", "A mass.\n\nNormal.")
    assert counted.calls == [2, 1]
    read(reader, "Normal.")
    assert counted.calls == [2, 1], "no pass at all where all is known"
    evidence_apart = [replace(without_time(a), evidence=None) for a in (first[0], first[2])]
    assert evidence_apart[0] == evidence_apart[1], "a sentence twice says no more than once"
    fresh, _ = reader_of(loaded)
    for answer, text in zip(again, ("Clear. A mass.", "A mass.\n\nNormal."), strict=True):
        wanted = without_time(read(fresh, text)[0])
        assert without_time(answer).labels == wanted.labels
        assert without_time(answer).evidence == wanted.evidence


def test_seconds_are_those_of_the_new_sentences_only(loaded: Loaded) -> None:
    reader, counted = reader_of(loaded)
    spent = 0.0
    decode = counted.decoder.decode

    def timed(prompts: Sequence[Prompt]) -> list[Answer]:
        nonlocal spent
        answers = decode(prompts)
        spent += sum(answer.seconds for answer in answers)
        return answers

    counted.decoder.decode = timed  # type: ignore[method-assign]
    found = read(reader, "A mass. Clear.", "Clear.", "Normal. Clear. A tear.")
    seconds = [answer.seconds for answer in found if isinstance(answer, Answer)]
    assert seconds[0] > 0
    assert seconds[1] == 0
    assert seconds[2] > 0
    assert sum(seconds) == pytest.approx(spent)
    assert [a.seconds for a in read(reader, "A tear.") if isinstance(a, Answer)] == [0]


def test_memory_is_bounded_and_keeps_what_was_used_last(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_sentence, "REMEMBERED", 2)
    monkeypatch.setattr(by_sentence, "LONGEST_REMEMBERED", 20)
    reader, counted = reader_of(loaded)
    for text, new in (
        ("A. B.", 2), ("A.", 0), ("C.", 1), ("A. C.", 0), ("B.", 1), ("C. B.", 0), ("A.", 1),
        ("B. C. A. D.", 2), ("Longer than twenty letters.", 1), ("Longer than twenty letters.", 1),
    ):  # fmt: skip
        before = sum(counted.calls)
        assert isinstance(read(reader, text)[0], Answer)
        assert sum(counted.calls) - before == new, text


def test_a_long_sentence_is_read_in_windows_or_refused(loaded: Loaded) -> None:
    narrow = replace(loaded, context=64)
    text = f"Clear. {'mass and ' * 60}tear. Normal."
    reader, counted = reader_of(narrow)
    (answer,) = read(reader, text)
    assert isinstance(answer, Answer)
    assert counted.calls[0] > 4
    assert any(note.startswith("windows: ") for note in answer.notes)
    spans = {tuple(span) for own in (answer.evidence or {}).values() for span in own}
    assert spans <= {(0, 6), (7, len(text) - 8), (len(text) - 7, len(text))}
    reader, counted = reader_of(narrow, long="reject")
    refused, fine = read(reader, text, "Clear.")
    assert isinstance(refused, Refusal)
    assert refused.reason.startswith("too long for the model")
    assert isinstance(fine, Answer)
    (refused,) = read(reader, f"Clear. {'x' * 5000}")
    assert isinstance(refused, Refusal)


def test_refused_reports_stand_between_the_others(loaded: Loaded) -> None:
    labeler = Labeler(loaded, LabelerOptions(unit="sentence"))
    texts = ["Clear.", "", "INDICATION: Mass.", "A tear.", "7"]
    results = labeler.label_reports(
        [Report(str(row), text, "file", row) for row, text in enumerate(texts)]
    )
    assert [result.id for result in results] == ["0", "1", "2", "3", "4"]
    reasons = {r.id: r.reason for r in results if isinstance(r, Reject)}
    assert reasons == {
        "1": "the report is empty", "2": NOTHING, "4": "the report holds no words",
    }  # fmt: skip


def test_one_sentence_is_answered_as_a_report_of_one_sentence(loaded: Loaded) -> None:
    texts = ["Small left effusion.", "A mass in the right lung.", "Clear lungs."]
    by_sentence_ = Labeler(loaded, LabelerOptions(unit="sentence")).label(texts)
    by_report = Labeler(loaded, LabelerOptions(unit="report")).label(texts)
    for one, other in zip(by_sentence_, by_report, strict=True):
        assert one.labels == other.labels
        assert one.probs is not None
        for name, probs in (other.probs or {}).items():
            assert one.probs[name] == pytest.approx(probs, abs=5e-6)


@pytest.mark.parametrize("decode", ["one-pass", "constrained"])
def test_deterministic_means_to_the_last_bit(loaded: Loaded, decode: str) -> None:
    seen: dict[str, set[str]] = {}
    for order in (REPORTS, REPORTS[::-1], REPORTS[5:8]):
        options = LabelerOptions(unit="sentence", decode=decode, deterministic=True)
        for text, found in zip(order, Labeler(loaded, options).label(order), strict=True):
            seen.setdefault(text, set()).add(repr(replace(found, id="", seconds=None)))
    assert {len(found) for found in seen.values()} == {1}


# The choice


def with_unit(source: Path, folder: Path, unit: Any) -> Path:
    shutil.copytree(source, folder)
    task = json.loads((folder / TASK_FILE).read_text())
    (folder / TASK_FILE).write_text(json.dumps(task | {"unit": unit}))
    return folder


def unit_of(labeler: Labeler) -> str:
    return str(labeler.describe()["decoding"]["unit"])


def test_the_model_says_what_it_reads_and_the_user_may_say_otherwise(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    folder = with_unit(tiny_checkpoint, tmp_path / "model", "sentence")
    assert unit_of(Labeler.from_checkpoint(folder, device="cpu")) == "sentence"
    assert unit_of(Labeler.from_checkpoint(folder, device="cpu", unit="report")) == "report"
    assert unit_of(Labeler.from_checkpoint(tiny_checkpoint, device="cpu")) == "report"
    old = with_unit(tiny_checkpoint, tmp_path / "old", "report")
    task = json.loads((old / TASK_FILE).read_text())
    del task["unit"]
    (old / TASK_FILE).write_text(json.dumps(task))
    assert unit_of(Labeler.from_checkpoint(old, device="cpu")) == "report", "written before units"


@pytest.mark.parametrize("unit", ["word", None, ["sentence"], 1])
def test_an_unknown_unit_is_refused(tiny_checkpoint: Path, tmp_path: Path, unit: Any) -> None:
    folder = with_unit(tiny_checkpoint, tmp_path / "model", unit)
    with pytest.raises(CheckpointError, match="damaged or of another version"):
        Labeler.from_checkpoint(folder, device="cpu")
    if isinstance(unit, str):
        with pytest.raises(ConfigError, match="choose one of: report, sentence"):
            LabelerOptions(unit=unit)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as handle:
        yield from map(json.loads, handle)


def test_the_command_reads_by_sentence_and_a_folder_belongs_to_one_unit(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], chexpert: LabelSet
) -> None:
    table, out = tmp_path / "reports.csv", tmp_path / "out"
    texts = [
        "INDICATION: Cough.\nFINDINGS: Clear lungs. No edema.",
        "COMPARISON: None.",
        REPORTS[0],
    ]
    with table.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([["id", "text"], *zip("abc", texts, strict=True)])
    command = [
        "label",
        str(table),
        "--model",
        str(tiny_checkpoint),
        "--out",
        str(out),
        "--sections",
        "full",
    ]
    assert main([*command, "--unit", "sentence"]) == 0
    assert [(row["id"], row["reason"]) for row in rows(out / "rejects.jsonl")] == [("b", NOTHING)]
    for row in rows(out / "predictions.jsonl"):
        found = Prediction.from_json(row)
        said = {name for name, label in found.labels.items() if label is not B}
        assert set(found.evidence or {}) == said - {"No Finding"}
        assert set(found.labels) == set(chexpert.names)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["labeler"]["decoding"]["unit"] == "sentence"
    capsys.readouterr()
    assert main([*command, "--unit", "report"]) == 2
    assert "differs in labeler.decoding.unit" in capsys.readouterr().err
    assert main([*command, "--unit", "sentence", "--evidence", "context"]) == 2
    assert "leave --evidence out, or give --unit report" in capsys.readouterr().err
    assert (
        main(["label", str(table), "--model", "rules", "--out", str(out), "--unit", "report"]) == 2
    )
    assert "--unit means nothing to the rules" in capsys.readouterr().err
