"""Every way of decoding a trained model: equal answers, in any company, on any weights."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import REPORTS, varied

from inference.labeler import Labeler
from inference.load import load
from labelwright.checkpoint import TASK_FILE
from labelwright.cli import main
from labelwright.errors import CheckpointError, ConfigError, MissingExtraError
from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Report
from labelwright.tasks.certainty.answer import render
from labelwright.tasks.certainty.table import read_labels

LESSONS = [f"{report} Series {number}." for number, report in enumerate(REPORTS)]
STRANGE = [f"{a} {b}" for a, b in zip(REPORTS, REPORTS[5:], strict=False)]
"""Reports that the model has not seen."""
NEAR = [f"{report} Series {number + 40}." for number, report in enumerate(REPORTS)]
"""Nor these, but they are like what it has seen."""


def labeled(folder: Path, texts: Sequence[str], decode: str, **options: object) -> list[Prediction]:
    labeler = Labeler.from_checkpoint(folder, device="cpu", decode=decode, **options)
    return labeler.label(texts)


@pytest.mark.parametrize("decode", ["one-pass", "constrained", "free"])
def test_every_way_says_what_was_taught(learned: Path, chexpert: LabelSet, decode: str) -> None:
    for number, prediction in enumerate(labeled(learned, LESSONS, decode)):
        wanted = varied(chexpert, number)
        assert dict(prediction.labels) == wanted
        assert prediction.raw == render(chexpert, wanted)
        assert prediction.problems == ()
        assert prediction.seconds
        assert (prediction.probs is None) == (decode == "free")
        for name, probs in (prediction.probs or {}).items():
            assert probs[wanted[name].value] > 0.9


def test_constrained_is_free_decoding_wherever_that_gives_a_valid_answer(learned: Path) -> None:
    free = labeled(learned, [*LESSONS, *NEAR], "free")
    constrained = labeled(learned, [*LESSONS, *NEAR], "constrained")
    compared = 0
    for one, other in zip(free, constrained, strict=True):
        if one.complete and not one.problems and not one.notes:
            assert one.labels == other.labels
            assert one.raw == other.raw
            compared += 1
    assert compared > len(LESSONS), "and of reports never seen, too"


def test_constrained_answers_are_complete_where_free_ones_are_not(learned: Path) -> None:
    free = labeled(learned, STRANGE, "free")
    assert any(not prediction.complete for prediction in free)
    for prediction in labeled(learned, STRANGE, "constrained"):
        assert prediction.complete
        assert all(problem.startswith("contradiction") for problem in prediction.problems)


def gap(one: Prediction, other: Prediction) -> float:
    assert one.probs is not None
    assert other.probs is not None
    return max(
        abs(value - other.probs[name][certainty])
        for name, probs in one.probs.items()
        for certainty, value in probs.items()
    )


@pytest.mark.parametrize("decode", ["one-pass", "constrained"])
def test_company_moves_probabilities_by_rounding_only(learned: Path, decode: str) -> None:
    texts = [*LESSONS, *STRANGE]
    wanted = dict(zip(texts, labeled(learned, texts, decode, batch_tokens=1), strict=True))
    for batch_tokens, order in ((200, texts[::-1]), (5000, texts[3:] + texts[:3] + texts[:2])):
        found = labeled(learned, order, decode, batch_tokens=batch_tokens)
        for text, prediction in zip(order, found, strict=True):
            assert prediction.labels == wanted[text].labels
            assert gap(prediction, wanted[text]) < 2e-5


@pytest.mark.parametrize("decode", ["one-pass", "constrained", "free"])
def test_deterministic_means_to_the_last_bit(learned: Path, decode: str) -> None:
    texts = [*LESSONS[:3], *STRANGE[: 2 if decode == "free" else 7]]
    seen: dict[str, set[str]] = {}
    labeler = Labeler.from_checkpoint(learned, device="cpu", decode=decode, deterministic=True)
    again = Labeler.from_checkpoint(
        learned, device="cpu", decode=decode, deterministic=True, batch_tokens=9, batch_size=3
    )
    for one, order in ((labeler, texts), (labeler, texts[::-1]), (again, texts[3:] + texts[:5])):
        for text, prediction in zip(order, one.label(order), strict=True):
            told = replace(prediction, id="", seconds=None)
            seen.setdefault(text, set()).add(repr(told))
    assert {len(found) for found in seen.values()} == {1}


def test_auto_takes_the_quickest_way_that_the_model_knows(learned: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(learned, tmp_path / "model"))
    path = folder / TASK_FILE
    task = json.loads(path.read_text())
    for layouts, mode in (
        (["line", "branches"], "one-pass"),
        (["branches"], "one-pass"),
        (["line"], "constrained"),
    ):
        path.write_text(json.dumps(task | {"layouts": layouts}))
        labeler = Labeler.from_checkpoint(folder, device="cpu")
        assert labeler.describe()["decoding"]["mode"] == mode
        refused = {"line": "one-pass", "branches": "free"}
        for layout, decode in refused.items():
            if layouts == [layout]:
                with pytest.raises(CheckpointError, match=f"not trained for --decode {decode}"):
                    Labeler.from_checkpoint(folder, device="cpu", decode=decode)


def test_a_plain_model_has_no_branches(learned: Path, tmp_path: Path, chexpert: LabelSet) -> None:
    folder = Path(shutil.copytree(learned, tmp_path / "plain"))
    (folder / TASK_FILE).unlink()
    (folder / "label_set.yaml").unlink()
    labeler = Labeler.from_checkpoint(folder, device="cpu", label_set=chexpert)
    assert labeler.describe()["decoding"]["mode"] == "constrained"
    assert labeler.sections == "full"
    with pytest.raises(CheckpointError, match="brings no training record"):
        Labeler.from_checkpoint(folder, device="cpu", label_set=chexpert, decode="one-pass")


def test_a_model_that_cannot_be_read_in_packs_is_decoded_freely_unless_told_otherwise(
    learned: Path, tmp_path: Path
) -> None:
    """Gemma 2 caps attention scores, which packs do not; the weights here are random."""
    from transformers import AutoModelForCausalLM, Gemma2Config

    folder = Path(shutil.copytree(learned, tmp_path / "gemma"))
    (folder / "config.json").unlink()
    tokenizer = load(learned, device="cpu").tokenizer
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    labeler = Labeler.from_checkpoint(folder, device="cpu")
    assert labeler.describe()["decoding"]["mode"] == "free"
    for decode in ("one-pass", "constrained"):
        with pytest.raises(CheckpointError, match="Gemma2ForCausalLM cannot be read in packs"):
            Labeler.from_checkpoint(folder, device="cpu", decode=decode)
    path = folder / TASK_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layouts": ["branches"]}))
    with pytest.raises(CheckpointError, match="Gemma2ForCausalLM cannot be read in packs"):
        Labeler.from_checkpoint(folder, device="cpu")


KINDS = [{"dtype": "bfloat16"}, {"quantize": "int8"}, {"quantize": "nf4"}]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: next(iter(kind.values())))
@pytest.mark.parametrize("decode", ["one-pass", "constrained", "free"])
def test_coarser_weights_say_the_same_of_what_was_learned(
    learned: Path, chexpert: LabelSet, kind: dict[str, str], decode: str
) -> None:
    """Of the sure answers none may change; their probabilities move a little, but do move."""
    if "quantize" in kind:
        pytest.importorskip("bitsandbytes")
    exact = labeled(learned, LESSONS, decode)
    coarse = labeled(learned, LESSONS, decode, **kind)
    for number, (one, other) in enumerate(zip(exact, coarse, strict=True)):
        assert dict(other.labels) == varied(chexpert, number)
        if decode != "free":
            assert 0 < gap(one, other) < 0.25


def test_a_model_with_one_layout_labels_quantised_too(learned: Path, tmp_path: Path) -> None:
    """Without branches the prompts are read for their keys and values alone."""
    pytest.importorskip("bitsandbytes")
    folder = Path(shutil.copytree(learned, tmp_path / "line"))
    path = folder / TASK_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layouts": ["line"]}))
    exact = labeled(folder, LESSONS, "constrained")
    coarse = labeled(folder, LESSONS, "constrained", quantize="int8")
    assert [p.labels for p in exact] == [p.labels for p in coarse]


def test_quantising_without_bitsandbytes_says_what_to_install(
    learned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "bitsandbytes" else find(n, *a)
    )
    with pytest.raises(MissingExtraError, match=r"bitsandbytes.*pip install -e '\.\[train-gpu\]'"):
        Labeler.from_checkpoint(learned, device="cpu", quantize="int8")
    with pytest.raises(ConfigError, match="unknown quantisation 'int3'"):
        Labeler.from_checkpoint(learned, device="cpu", quantize="int3")


def test_what_decides_the_answers_is_part_of_the_job(learned: Path) -> None:
    def told(**options: object) -> dict[str, object]:
        found = dict(Labeler.from_checkpoint(learned, device="cpu", **options).describe())
        found.pop("runtime")
        return found

    base = told()
    assert told(batch_tokens=64) == base
    assert told(decode="one-pass") == base
    for other in ({"decode": "constrained"}, {"deterministic": True}, {"long": "reject"}):
        assert told(**other) != base
    if importlib.util.find_spec("bitsandbytes"):
        assert told(quantize="int8") != base


@pytest.mark.parametrize("flags", [["--decode", "constrained"], ["--deterministic"], []])
def test_the_command(learned: Path, tmp_path: Path, chexpert: LabelSet, flags: list[str]) -> None:
    table = tmp_path / "reports.csv"
    rows = [f'{number},"{text}"' for number, text in enumerate([*LESSONS, *LESSONS[:3]])]
    table.write_text("id,findings\n" + "\n".join(rows) + "\n")
    out = tmp_path / "out"
    columns = ["--id-column", "id", "--text-columns", "findings", "--device", "cpu"]
    command = ["label", str(table), "--model", str(learned), "--out", str(out), *columns, *flags]
    assert main(command) == 0
    labels = [found for _, _, found in read_labels(out / "labels.csv", chexpert, id_columns=["id"])]
    wanted = [varied(chexpert, number) for number in range(len(LESSONS))]
    assert labels == [*wanted, *wanted[:3]]
    decoding = json.loads((out / "manifest.json").read_text())["labeler"]["decoding"]
    assert decoding["mode"] == ("constrained" if "constrained" in flags else "one-pass")
    assert decoding["deterministic"] is ("--deterministic" in flags)


def test_reports_keep_their_order_whatever_their_length(learned: Path) -> None:
    labeler = Labeler.from_checkpoint(learned, device="cpu", batch_tokens=120)
    texts = [LESSONS[n % 12] + " Stable." * (n * 7 % 5) for n in range(30)]
    reports = [Report(id=str(n), text=t, source="s", row=n) for n, t in enumerate(texts)]
    results = labeler.label_reports(reports)
    assert [result.id for result in results] == [report.id for report in reports]
    for report, result in zip(reports, results, strict=True):
        (alone,) = labeler.label_reports([report])
        assert isinstance(result, Prediction)
        assert isinstance(alone, Prediction)
        assert alone.labels == result.labels
