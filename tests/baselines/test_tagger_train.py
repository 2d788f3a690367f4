"""Training of taggers: learned by heart with every head, kept, refused, labeled with."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from close_tools import weights_apart
from tagger_tools import CANARY, FAST, FLAT, LABEL_SET, NESTED, command, write_notes

from baselines.tagger.labeler import TaggerLabeler
from baselines.tagger.tags import key_of
from labelwright.checkpoint import NORMALISE_FILE
from labelwright.cli import main
from labelwright.label_set import LabelSet
from labelwright.records import Entity, Prediction, Report


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Thirty notes without and with nested entities; one holds a word that must not leak."""
    base = tmp_path_factory.mktemp("built")
    text, found = FLAT[0]
    flat = [(f"{text}{CANARY}.", found), *FLAT[1:]]
    return {
        "flat": write_notes(base / "flat", flat),
        "nested": write_notes(base / "nested", NESTED),
    }


def manifest(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return value


LONGER = ("--learning_rate=1e-2", "--num_train_epochs=25", "--patience=0", "--head=multilabel")
HEADS = {
    "bio": ("flat", ()),
    "io": ("flat", ("--scheme=IO",)),
    "crf": ("flat", ("--crf", "--scheme=BIOES")),
    "nested": ("nested", LONGER),
    "weighed": ("nested", (*LONGER, "--class-weights=clamped", "--thresholds=per-label")),
}


@pytest.fixture(scope="module")
def trained(
    folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A tagger by name, trained when it is first asked for."""
    base, made = tmp_path_factory.mktemp("runs"), {}

    def get(name: str) -> Path:
        if name not in made:
            data, flags = HEADS[name]
            assert main(command(folders[data], base / name, *flags)) == 0
            made[name] = base / name
        return made[name]

    return get


def label(folder: Path, texts: list[str], **choices: Any) -> list[Prediction]:
    labeler = TaggerLabeler.from_checkpoint(folder, device="cpu", **choices)
    reports = [Report(id=str(n), text=t, source="s", row=n + 1) for n, t in enumerate(texts)]
    found = labeler.label_reports(reports)
    assert all(isinstance(item, Prediction) for item in found)
    return [item for item in found if isinstance(item, Prediction)]


def micro_f1(found: list[Prediction], notes: list[tuple[str, list[Entity]]]) -> float:
    """By hand: twice the right ones over all on both sides."""
    right = total = 0
    for prediction, (_, gold) in zip(found, notes, strict=True):
        mine = {key_of(entity) for entity in prediction.entities or ()}
        theirs = {key_of(entity) for entity in gold}
        right, total = right + len(mine & theirs), total + len(mine) + len(theirs)
    return 2 * right / total


@pytest.mark.parametrize("name", list(HEADS))
def test_thirty_notes_are_learned_by_heart(name: str, trained: Callable[[str], Path]) -> None:
    notes = FLAT if HEADS[name][0] == "flat" else NESTED
    found = label(trained(name), [text for text, _ in notes])
    assert micro_f1(found, notes) > 0.95
    for prediction, (text, _) in zip(found, notes, strict=True):
        assert prediction.labels == {}
        assert prediction.complete
        for entity in prediction.entities or ():
            assert entity.text == text[entity.start : entity.end]
            assert entity.prob is not None
            assert 0 < entity.prob <= 1
    facts = manifest(trained(name))
    assert facts["validation"]["micro_f1"] > 0.95
    assert facts["learned"]["f1_of_findings"] == round(facts["validation"]["micro_f1"], 6)
    assert facts["learned"]["better_than_fixed"]
    assert facts["counts"]["train"]["entities_learnable"] == facts["counts"]["train"]["entities"]


def test_seqeval_agrees_on_the_validation_score(trained: Callable[[str], Path]) -> None:
    """Tags of the gold and of the predicted entities, scored by seqeval in its strict mode."""
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    from baselines.tagger.tags import Tagging
    from baselines.tagger.words import find_words

    tagging = Tagging(LabelSet.from_text(LABEL_SET), "BIO", False)
    found = label(trained("io"), [text for text, _ in FLAT])

    def tags(entities: Any, text: str) -> list[str]:
        return [tagging.names[tag] for tag in tagging.encode(find_words(text), entities)]

    gold = [tags(entities, text) for text, entities in FLAT]
    said = [tags(p.entities, text) for p, (text, _) in zip(found, FLAT, strict=True)]
    strict = f1_score(gold, said, mode="strict", scheme=IOB2)
    assert micro_f1(found, FLAT) == pytest.approx(strict)


def test_what_a_training_leaves(trained: Callable[[str], Path], folders: dict[str, Path]) -> None:
    folder = trained("bio")
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names == {
        *("README.md", "config.json", "curves.csv", "curves.svg", "label_set.yaml"),
        *("labelwright.json", "manifest.json", "metrics.jsonl", "model.safetensors", "run.json"),
        *("tags.json", "tags.safetensors", "tokenizer.json", "tokenizer_config.json"),
    }
    facts = manifest(folder)
    assert facts["layouts"] == ["tags"]
    assert facts["tagger"]["tags"] == ["O", "B-Lesion", "I-Lesion", "B-Site", "I-Site"]
    assert facts["counts"]["train"] | {"tokens": 0, "words": 0} == {
        **{"reports": 30, "words": 0, "tokens": 0, "windows": 30, "limit_tokens": 512},
        **{"entities": 90, "entities_learnable": 90},
    }
    assert facts["metrics"]["train_runtime"] > 0
    assert {Path(item["path"]).name for item in facts["inputs"]} == {
        *("train.reports.jsonl", "train.entities.jsonl"),
        *("validation.reports.jsonl", "validation.entities.jsonl"),
    }
    for path in folder.iterdir():
        if path.is_file() and path.suffix not in {".safetensors"}:
            assert CANARY not in path.read_text(encoding="utf-8")
    assert not [p for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".pth", ".pkl"}]


def test_curves(trained: Callable[[str], Path]) -> None:
    folder = trained("bio")
    with (folder / "curves.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    history = manifest(folder)["history"]
    losses = {r["step"]: r["loss"] for r in history if "loss" in r}
    scores = {r["step"]: r["eval_micro_f1"] for r in history if "eval_loss" in r}
    assert {int(r["step"]): float(r["train_loss"]) for r in rows if r["train_loss"]} == {
        step: pytest.approx(value, rel=1e-4) for step, value in losses.items()
    }
    assert {int(r["step"]): float(r["micro_f1"]) for r in rows if r["micro_f1"]} == {
        step: pytest.approx(value, rel=1e-4) for step, value in scores.items()
    }
    picture = (folder / "curves.svg").read_text()
    assert picture.count("<polyline") == 4
    first = picture.partition('<polyline points="')[2].partition('"')[0]
    assert len(first.split()) == len(losses)


def test_patience_ends_the_training_where_it_would_have_if_it_is_resumed(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """The best state is kept; the checkpoint one epoch after it leads to the same end."""
    one, two = tmp_path / "one", tmp_path / "two"
    flags = ("--num_train_epochs=40", "--patience=2", "--save_total_limit=40")
    assert main(command(folders["flat"], one, *flags)) == 0
    facts = manifest(one)
    scores = [row["eval_micro_f1"] for row in facts["history"] if "eval_micro_f1" in row]
    assert len(scores) < 40
    assert scores.index(max(scores)) == len(scores) - 3
    assert facts["best"]["value"] == max(scores)
    assert facts["validation"]["micro_f1"] == pytest.approx(max(scores))
    two.mkdir()
    shutil.copy(one / "run.json", two)
    before = facts["steps"] - 3
    for step in range(3, before + 1, 3):
        shutil.copytree(one / f"checkpoint-{step}", two / f"checkpoint-{step}")
    assert main(command(folders["flat"], two, *flags)) == 0
    again = manifest(two)
    assert again["resumed_from"] == f"checkpoint-{before}"
    assert again["steps"] == facts["steps"]
    for name in ("tags.safetensors", "model.safetensors"):
        assert weights_apart(two / name, one / name) < 1e-4, "a step moves them by 5e-3"


def test_runs_go_on_and_belong_to_their_settings(
    trained: Callable[[str], Path], folders: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    again = command(folders["flat"], trained("bio"))
    assert main(again) == 0
    assert "nothing to do" in capfd.readouterr().err
    assert main([*again, "--scheme=IO"]) == 2
    assert "belongs to another run (different: scheme)" in capfd.readouterr().err


def test_second_stage(
    trained: Callable[[str], Path],
    folders: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    flags = [flag for flag in FAST if not flag.startswith("--scratch")]
    start = ["train-tagger", "--data", str(folders["flat"]), *flags, "--num_train_epochs=1"]
    first = ["--init_from", str(trained("bio"))]
    assert main([*start, *first, "--output_dir", str(tmp_path / "second")]) == 0
    losses = [r["loss"] for r in manifest(tmp_path / "second")["history"] if "loss" in r]
    assert losses[0] < 0.1 < manifest(trained("bio"))["history"][0]["loss"]
    assert main([*start, *first, "--crf", "--output_dir", str(tmp_path / "other")]) == 2
    assert "add --head softmax --scheme BIO" in capfd.readouterr().err


def test_long_notes_are_read_in_windows(trained: Callable[[str], Path]) -> None:
    """Every note behind each other: the entities are those of the notes, moved."""
    folder = trained("bio")
    whole, gold = "", []
    for text, entities in FLAT:
        gold += [
            Entity.of(whole + text, e.type, (len(whole) + e.start, len(whole) + e.end))
            for e in entities
        ]
        whole += text
    labeler = TaggerLabeler.from_checkpoint(folder, device="cpu")
    labeler._reader.limit = 64
    labeler._reader.room = 62
    [found] = labeler.label_reports([Report("a", whole, "s", 1)])
    assert isinstance(found, Prediction)
    assert micro_f1([found], [(whole, gold)]) > 0.95
    assert found.problems == ()


def test_answers_do_not_depend_on_the_batch(trained: Callable[[str], Path]) -> None:
    texts = [text for text, _ in NESTED[:7]]
    one = label(trained("nested"), texts, batch_size=1)
    many = label(trained("nested"), texts, batch_size=5)
    for a, b in zip(one, many, strict=True):
        assert [key_of(e) for e in a.entities or ()] == [key_of(e) for e in b.entities or ()]
        assert [e.prob for e in a.entities or ()] == pytest.approx(
            [e.prob for e in b.entities or ()], abs=1e-4
        )


def test_reports_are_normalised_as_the_training_texts_were(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """``&`` stands for "kidney" and "colon" for "liver": places are those of the report itself."""
    data = Path(shutil.copytree(folders["flat"], tmp_path / "data"))
    table = 'name: short\nversion: "1"\nterms: {"&": kidney, colon: liver}\n'
    (data / NORMALISE_FILE).write_text(table, encoding="utf-8")
    model, out = tmp_path / "model", tmp_path / "out"
    assert main(command(data, model)) == 0
    assert (model / NORMALISE_FILE).read_text() == table
    text = "There is a cyst of the &. Known colon abscess. No sign of carcinoma of the kidney."
    note = tmp_path / "note.txt"
    note.write_text(text, encoding="utf-8")
    assert main(["label", str(note), "--model", str(model), "--out", str(out)]) == 0
    found = Prediction.from_json(json.loads((out / "predictions.jsonl").read_text()))
    sites = [(e.text, e.spans) for e in found.entities or () if e.type == "Site"]
    assert sites == [
        (word, ((text.index(word), text.index(word) + len(word)),))
        for word in ("&", "colon", "kidney")
    ]


def test_the_label_command(
    trained: Callable[[str], Path],
    folders: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    reports, out = folders["flat"] / "validation.reports.jsonl", tmp_path / "out"
    model = ["--model", str(trained("bio")), "--device", "cpu"]
    assert main(["label", str(reports), *model, "--out", str(out)]) == 0
    shown = capfd.readouterr()
    assert "30 rows: 30 labeled, 0 rejected" in shown.out
    rows = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    found = [Prediction.from_json(row) for row in rows]
    assert micro_f1(found, FLAT) > 0.95
    facts = manifest(out)["labeler"]
    assert (facts["kind"], facts["decoding"]["scheme"]) == ("tagger", "BIO")
    assert CANARY not in shown.out + shown.err
    for flags, words in (
        (["--decode", "free"], "--decode does not apply to a tagger"),
        (["--label-set", "chexpert-14"], "trained on another label set"),
    ):
        assert main(["label", str(reports), *model, "--out", str(tmp_path / "x"), *flags]) == 2
        assert words in capfd.readouterr().err
    assert main(["label", str(reports), "--model=rules", "--threshold=0.3", "--out=x"]) == 2
    assert "--threshold does not apply to" in capfd.readouterr().err


def test_a_threshold_at_labeling_takes_the_place_of_the_tuned_ones(
    trained: Callable[[str], Path],
) -> None:
    """At 0 every word belongs to a mention of either type, at 1 none does."""
    texts = [text for text, _ in NESTED[:5]]
    tuned = label(trained("nested"), texts)
    low = label(trained("nested"), texts, threshold=0.0)
    for text, prediction, usual in zip(texts, low, tuned, strict=True):
        for kind in ("Lesion", "Site"):
            covered = {
                place
                for entity in prediction.entities or ()
                if entity.type == kind
                for place in range(entity.start, entity.end)
            }
            assert covered >= {place for place, letter in enumerate(text) if letter.isalnum()}
        assert prediction.entities != usual.entities
    assert all(found.entities == () for found in label(trained("nested"), texts, threshold=1.0))


def test_a_threshold_leaves_out_mentions_of_which_a_tagger_is_less_sure(
    trained: Callable[[str], Path],
) -> None:
    texts = [text for text, _ in FLAT[:6]]
    every = [entity for p in label(trained("bio"), texts) for entity in p.entities or ()]
    middle = sorted(entity.prob or 0.0 for entity in every)[len(every) // 2]
    sure = [e for p in label(trained("bio"), texts, threshold=middle) for e in p.entities or ()]
    assert sure == [entity for entity in every if (entity.prob or 0.0) >= middle]
    assert 0 < len(sure) < len(every)


def test_encoders_of_other_numbers(trained: Callable[[str], Path]) -> None:
    """bfloat16 for the encoder; the tags' layer stays in float32."""
    labeler = TaggerLabeler.from_checkpoint(trained("crf"), device="cpu", dtype="bfloat16")
    assert labeler.describe()["dtype"] == "bfloat16"
    [found] = labeler.label_reports([Report("a", FLAT[0][0], "s", 1)])
    assert isinstance(found, Prediction)
    assert found.entities
    assert labeler._model.scores.weight.dtype == torch.float32
