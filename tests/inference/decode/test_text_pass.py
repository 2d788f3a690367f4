"""Fields of made-up letters from build to labels: one pass with the options of each text."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from fields.letter_tools import write_letters

from inference.decode.decoder import DecodeOptions
from inference.decode.text_pass import TextPass
from inference.load import Loaded, load
from inference.prompts import PromptWriter, prompt_text
from labelwright.cli import main
from labelwright.tasks import kind_of

ONCE = ("--disable_tqdm=true", "--save_strategy=no", "--report_to=none", "--logging_steps=40")
TEXT = (
    "Last seen 02/03/2014. Admitted on 04/05/2019 for chest pain. Creatinine 1.2 mg/dl, pulse 80."
)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("letters")
    write_letters(folder, 110)
    given = ["--label-set", str(folder / "labels.yaml"), "--labels", str(folder / "gold.jsonl")]
    build = [str(folder / "letters.jsonl"), *given, "--split", "0.8,0.0,0.2"]
    assert main(["build", *build, "--out", str(folder / "data")]) == 0
    flags = ["--scratch", "tiny", "--num_train_epochs", "5", "--learning_rate", "5e-3"]
    size = ["--per_device_train_batch_size", "8", *ONCE]
    made = ["--data", str(folder / "data"), "--output_dir", str(folder / "model")]
    assert main(["train", *made, *flags, *size]) == 0
    return folder


@pytest.fixture(scope="module")
def loaded(case: Path) -> Loaded:
    return load(case / "model", device="cpu")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("mode", ["one-pass", "constrained"])
def test_what_is_said_stands_in_the_text(case: Path, mode: str) -> None:
    reports, out = case / "data/test.reports.jsonl", case / mode
    asked = ["label", str(reports), "--model", str(case / "model"), "--out", str(out)]
    assert main([*asked, *([] if mode == "one-pass" else ["--decode", mode])]) == 0
    told = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert told["labeler"]["decoding"]["mode"] == mode
    texts = {row["id"]: row["text"] for row in rows(reports)}
    found = {row["id"]: row for row in rows(out / "predictions.jsonl")}
    assert set(found) == set(texts)
    right = 0
    known = {row["id"]: row["fields"] for row in rows(case / "data/test.fields.jsonl")}
    for name, row in found.items():
        for field, one in row["fields"].items():
            for raw, spans in placed(one):
                if field not in ("Smoking", "Angina"):
                    (start, end), text = spans[0], texts[name]
                    assert " ".join(text[start:end].split()) == raw
            if mode == "one-pass":
                assert 0 <= one["prob"] <= 1
        right += row["fields"]["Creatinine"]["value"] == known[name]["Creatinine"]["value"]
    assert right >= 0.7 * len(found)
    with open(out / "fields.csv", encoding="utf-8", newline="") as handle:
        table = {row["id"]: row for row in csv.DictReader(handle)}
    assert all(
        table[name]["Admitted"] == (row["fields"]["Admitted"]["value"] or "")
        for name, row in found.items()
    )


def placed(one: dict[str, Any]) -> list[tuple[str, list[list[int]]]]:
    raw, spans = one.get("raw", []), one.get("spans", [])
    return list(zip(raw, spans, strict=True)) if isinstance(raw, list) else [(raw, spans)]


def test_probabilities_are_the_models_own(loaded: Loaded) -> None:
    """Of each slot as if it were asked alone, behind the prompt, in a pass of its own."""
    import torch

    options = DecodeOptions(batch_size=1, batch_tokens=2048)
    asker = TextPass(loaded, options)
    plan = asker._plan(TEXT)
    encode = loaded.tokenizer
    prompt = encode(prompt_text(loaded, TEXT), add_special_tokens=False)["input_ids"]
    follow = encode("\n", add_special_tokens=False)["input_ids"]
    writer = PromptWriter(loaded, room=asker.room)
    (written,) = writer.write([TEXT])
    from dataclasses import replace

    (answer,) = asker.decode([replace(written, text=TEXT)])  # type: ignore[type-var]
    for slot in plan.choices.slots[:4]:
        query = encode(slot.prefix, add_special_tokens=False)["input_ids"]
        logs = {}
        for option, text in slot.options.items():
            said = [*encode(text, add_special_tokens=False)["input_ids"], *follow]
            with torch.inference_mode():
                ids = torch.tensor([[*prompt, *query, *said]])
                logits = loaded.model(input_ids=ids).logits[0].double()
            logs[option] = (logits, said, len(prompt) + len(query) - 1)
        probs = naive(slot.options, logs)
        best = max(probs, key=probs.__getitem__)
        assert answer.value[slot.label].prob == pytest.approx(probs[best], abs=2e-4)


def naive(options: Any, logs: Any) -> dict[str, float]:
    """Walk the trie of all options: at each token the softmax over what any option may go on."""
    probs = {}
    every = [said for _, said, _ in logs.values()]
    for option in options:
        logits, said, at = logs[option]
        total = 0.0
        for place, token in enumerate(said):
            nexts = {s[place] for s in every if len(s) > place and s[:place] == said[:place]}
            row = logits[at + place]
            total += float(row[token]) - math.log(sum(math.exp(float(row[t])) for t in nexts))
        probs[option] = math.exp(total)
    return probs


def test_windows_are_put_together(loaded: Loaded) -> None:
    from inference.labeler import Labeler, LabelerOptions

    labeler = Labeler(loaded, LabelerOptions())
    filler = "The patient went for a walk with a friend. " * 80
    (said,) = labeler.label([f"{filler}{TEXT} {filler}"])
    assert any(note.startswith("windows: ") for note in said.notes)
    text = f"{filler}{TEXT} {filler}"
    start, end = said.value["Creatinine"].items[0].spans[0]
    assert text[start:end] == said.value["Creatinine"].items[0].raw


def test_what_one_pass_cannot_do_is_refused(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["label", str(case / "letters.jsonl"), "--model", str(case / "model")]
    for flags in (["--evidence", "context"], ["--unit", "sentence", "--decode", "one-pass"]):
        assert main([*asked, *flags, "--out", str(case / "refused")]) == 2
        assert flags[0] in capsys.readouterr().err


def test_nothing_is_said_of_a_letter_without_numbers(loaded: Loaded) -> None:
    asker = TextPass(loaded, DecodeOptions(batch_size=1, batch_tokens=2048))
    text = "Nothing to report."
    kind, label_set = kind_of(loaded.label_set), loaded.label_set
    choices = kind.choices_in(label_set, text)
    assert choices is not None
    options = {slot.label: list(slot.options) for slot in choices.slots}
    assert options["Admitted"] == ["-"]
    assert options["Creatinine"] == ["-"]
    assert options["Angina"] == ["-", "true", "false"]
    assert options["Drugs"] == ["-", "+"]
    plan = asker._plan(text)
    assert not plan.answers.slots[0].choices


def test_every_assigned_character_of_the_first_two_planes_can_be_written() -> None:
    from inference.decode.guided import TEXT_BYTES

    signs = "".join(
        chr(n) for n in (*range(0x20, 0x7F), *range(0xA0, 0xD800), *range(0xE000, 0x20000))
    )
    # Nothing but control characters, and what stands in no text: 0xC0, 0xC1 and 0xF1 to 0xFF.
    assert set(signs.encode()) | set(b"\n") == TEXT_BYTES
