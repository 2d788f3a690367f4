"""Options of ``train-tagger`` beyond the plain loss: what they change, and what they must not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from close_tools import weights_apart
from safetensors.numpy import load_file
from tagger_tools import FLAT, command, write_notes

from baselines.encoder.scratch import PRESETS, make_scratch_encoder
from baselines.encoder.start import load_tokenizer
from baselines.tagger.labeler import TaggerLabeler
from baselines.tagger.sections import Sections
from baselines.tagger.words import WordReader, find_words
from labelwright.cli import main
from labelwright.errors import CheckpointError
from labelwright.io.jsonl import read_jsonl, write_jsonl
from labelwright.records import Entity, Report
from labelwright.text.section_tables import SectionTable

TABLE = """\
name: two
sections:
  findings: [Seen]
  family: [Family]
"""
SHORT = ("--max_steps=4", "--head_dropout=0.3", "--eval_strategy=no", "--save_strategy=no")


def sectioned(number: int, text: str, found: list[Entity]) -> tuple[str, list[Entity]]:
    """A note whose entities count; under the other heading stand the same words without any."""
    heading = "Seen:\n"
    spans = [tuple((a + len(heading), b + len(heading)) for a, b in e.spans) for e in found]
    whole = f"{heading}{text}\nFamily:\n{FLAT[number][0]}"
    return whole, [Entity.of(whole, e.type, *s) for e, s in zip(found, spans, strict=True)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    notes = [sectioned(29 - n, *FLAT[n]) for n in range(12)]
    folder = write_notes(tmp_path_factory.mktemp("built") / "data", notes, validation=6)
    (folder.parent / "two.yaml").write_text(TABLE)
    path = folder / "train.reports.jsonl"
    rows = [row for _, row in read_jsonl(path)]
    for row in rows[8:]:
        row["meta"] = {"pseudo_round": "1", "pseudo_by": "somebody"}
    write_jsonl(path, rows)
    return folder


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "model.safetensors") | load_file(folder / "tags.safetensors")


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


def test_options_that_ask_for_nothing_are_the_plain_run_bit_for_bit(
    data: Path, tmp_path: Path
) -> None:
    """So is one whose layers are computed twice. Those that ask for something are not."""
    assert main(command(data, tmp_path / "plain", *SHORT)) == 0
    nothing = ("--r-drop=0", "--label-smoothing=0", "--pseudo-weight=1", "--sections-as=none")
    twice = "--activation_checkpointing=true"
    assert main(command(data, tmp_path / "nothing", *SHORT, *nothing, twice)) == 0
    assert same(tmp_path / "plain", tmp_path / "nothing")
    more = ("--r-drop=1", "--label-smoothing=0.1", "--pseudo-weight=0.5", "--neftune_noise_alpha=5")
    for number, flag in enumerate(more):
        assert main(command(data, tmp_path / str(number), *SHORT, flag)) == 0
        assert not same(tmp_path / "plain", tmp_path / str(number))
    facts = json.loads((tmp_path / "2" / "manifest.json").read_text())
    assert facts["tagger"]["pseudo_labeled_windows"] == 4


EVERYTHING = (
    *("--sections-as=embedding", "--r-drop=0.5", "--label-smoothing=0.05"),
    *("--pseudo-weight=0.5", "--sentence-task", "Site", "Lesion", "--head_dropout=0.3"),
    "--sentence-class-weights=clamped",
)
OFTEN = (
    *("--eval_strategy=steps", "--eval_steps=1", "--save_strategy=steps", "--save_steps=1"),
    *("--save_total_limit=9", "--per_device_train_batch_size=5", "--num_train_epochs=2"),
)


def test_all_of_them_together_after_a_stop(data: Path, tmp_path: Path) -> None:
    """Three steps are an epoch; going on from the fourth ends where the whole run ended."""
    table = f"--section-table={data.parent / 'two.yaml'}"
    whole, again = tmp_path / "whole", tmp_path / "again"
    assert main(command(data, whole, *EVERYTHING, table, *OFTEN)) == 0
    shutil.copytree(whole, again)
    (again / "manifest.json").unlink()
    for step in (5, 6):
        shutil.rmtree(again / f"checkpoint-{step}")
    assert main(command(data, again, *EVERYTHING, table, *OFTEN)) == 0
    for name in ("model.safetensors", "tags.safetensors"):
        assert weights_apart(whole / name, again / name) < 1e-7
    assert main(command(data, again, *EVERYTHING, table, *OFTEN, "--section-dropout=0.2")) == 2


def test_a_tagger_that_reads_sections_learns_which_one_counts(data: Path, tmp_path: Path) -> None:
    """The same sentence holds entities under one heading and none under the other.

    An unseen heading and none at all are read as well, and the model folder has all it needs.
    """
    flags = (
        *("--eval_strategy=no", "--save_strategy=no", "--num_train_epochs=30"),
        *("--sections-as=prefix", f"--section-table={data.parent / 'two.yaml'}"),
        *("--per_device_train_batch_size=6", "--learning_rate=8e-3", "--section-dropout=0.02"),
    )
    assert main(command(data, tmp_path / "out", *flags)) == 0
    labeler = TaggerLabeler.from_checkpoint(tmp_path / "out", device="cpu")
    sentence, gold = FLAT[3]
    texts = [f"Seen:\n{sentence}", f"Family:\n{sentence}", f"PLANS:\n{sentence}", sentence]
    reports = [Report(str(n), text, "s", n) for n, text in enumerate(texts)]
    found = [prediction.entities for prediction in labeler.label_reports(reports)]  # type: ignore[union-attr]
    told = labeler.describe()["decoding"]["sections"]
    assert (told["way"], told["names"]) == ("prefix", ["family", "findings"])
    shift = len("Seen:\n")
    assert [(e.type, e.start - shift, e.end - shift) for e in found[0] or ()] == [
        (e.type, e.start, e.end) for e in gold
    ]
    assert found[1] == ()


def test_biases_of_sections_are_learned_and_kept(data: Path, tmp_path: Path) -> None:
    table = f"--section-table={data.parent / 'two.yaml'}"
    assert main(command(data, tmp_path / "out", *SHORT, "--sections-as=bias", table)) == 0
    learned = load_file(tmp_path / "out" / "tags.safetensors")["fusion.table.weight"]
    assert not learned[0].any()
    assert learned[2:].all()
    labeler = TaggerLabeler.from_checkpoint(tmp_path / "out", device="cpu")
    assert labeler.label_reports([Report("a", f"Seen:\n{FLAT[0][0]}", "s", 1)])


def test_a_name_before_a_section_moves_no_offset(tmp_path: Path) -> None:
    """Every window of a long section begins with its name, which is no word of the text."""
    texts = ["Family: Mother had Crohn disease ."]
    make_scratch_encoder([*texts, "hello other"], tmp_path, shape=PRESETS["tiny"], seed=0)
    tokenizer = load_tokenizer(str(tmp_path))
    table = SectionTable("t", {"family": ("Family",)})
    sections = Sections("prefix", table, ("family",))
    reader = WordReader(tokenizer, limit=8, stride=0, sections=sections)
    text = "Hello.\nFamily: Mother had Crohn disease."
    [words] = reader.read([text])
    assert [tuple(span) for span in words.spans.tolist()] == [
        (int(a), int(b)) for a, b in find_words(text)
    ]
    read = [tokenizer.convert_ids_to_tokens(w.ids.tolist()) for w in words.windows]
    assert all(
        r[1:3] == ["family", ":"] for r, w in zip(read, words.windows, strict=True) if w.prefix
    )
    assert [w.prefix for w in words.windows if w.start >= 2] == [2, 2]
    assert [n for w in words.windows for n in range(*w.keep)] == list(range(len(words)))
    last = words.windows[-1]
    first = last.without_prefix(1)
    assert (first.ids[first.firsts] == last.ids[last.firsts]).all()
    assert len(first.ids) == len(last.ids) - 2
    for window in words.windows:
        own = tokenizer.convert_ids_to_tokens(window.ids[window.firsts].tolist())
        spans = words.spans[window.start : window.start + len(own)]
        assert all(
            text[a:b].lower().startswith(token) or token == "[UNK]"
            for token, (a, b) in zip(own, spans.tolist(), strict=True)
        )


def test_a_tagger_takes_its_dictionary_along(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was tuned is what the labeler does; the folder holds no words of notes; a dictionary
    that is gone or of others is said.
    """
    out = tmp_path / "out"
    assert main(command(data, out, "--max_steps=4", "--dictionary=true")) == 0
    assert "with the dictionary" in capsys.readouterr().err
    facts = json.loads((out / "manifest.json").read_text())
    told = facts["tagger"]["dictionary"]
    assert told["strings"] == 5
    assert "looks up 5 mentions" in (out / "README.md").read_text()
    rows = [row for _, row in read_jsonl(data / "validation.reports.jsonl")]
    gold = {
        row["id"]: {(e["type"], tuple(map(tuple, e["spans"]))) for e in row["entities"]}
        for _, row in read_jsonl(data / "validation.entities.jsonl")
    }
    labeler = TaggerLabeler.from_checkpoint(out, device="cpu")
    assert labeler.describe()["decoding"]["dictionary"] == told
    reports = [Report(row["id"], row["text"], "s", n) for n, row in enumerate(rows)]
    said = [
        {(e.type, e.spans) for e in prediction.entities}  # type: ignore[union-attr]
        for prediction in labeler.label_reports(reports)
    ]
    right = sum(len(gold[report.id] & mine) for report, mine in zip(reports, said, strict=True))
    f1 = 2 * right / (sum(map(len, said)) + sum(map(len, gold.values())))
    assert f1 == pytest.approx(facts["validation"]["micro_f1"])
    assert f1 > 0.4  # four steps teach the tagger nothing
    (out / "dictionary.json").write_text('{"entries": {}, "sizes": {}}')
    with pytest.raises(CheckpointError, match=r"or dictionary\.json is"):
        TaggerLabeler.from_checkpoint(out, device="cpu")


def test_what_excludes_each_other_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = write_notes(tmp_path / "plain", FLAT[:3])
    bare = write_notes(tmp_path / "bare", [(text, []) for text, _ in FLAT[:3]])
    for folder, flags, message in (
        (data, ["--label-smoothing=0.1", "--crf"], "whose target is one path"),
        (data, ["--label-smoothing=0.1", "--head=multilabel"], "no others to share with"),
        (data, ["--label-smoothing=1"], "is no share"),
        (data, ["--r-drop=-1"], "r_drop is below 0"),
        (data, ["--r-drop=nan"], "no number"),
        (data, ["--section-table=es"], "section_table is for --sections-as"),
        (data, ["--sections-as=bias", "--section-table=fr"], "no table of headings"),
        (data, ["--sections-as=bias", "--section-table=it"], "has a heading of the table it"),
        (data, ["--sections-as=bias", "--section-dropout=1"], "section_dropout is no share"),
        (data, ["--sentence-task", "Nothing"], "has no type 'Nothing'"),
        (data, ["--sentence-weight=2"], "is for --sentence-task"),
        (data, ["--sentence-class-weights=plain"], "is for --sentence-task"),
        (plain, ["--pseudo-weight=0.5"], "entities from a labeler"),
        (bare, [], "no training report has an entity"),
        (data, ["--num_train_epochs=-1"], "no fewer than 0 epochs"),
        (data, ["--max_steps=0"], "no 0 steps"),
        (data, ["--dataloader_drop_last=true"], "every epoch would leave reports out"),
        (data, ["--dictionary=true", "--eval_strategy=no"], "nothing is evaluated"),
    ):
        assert main(command(folder, tmp_path / "out", *flags)) == 2, message
        assert message in capsys.readouterr().err
