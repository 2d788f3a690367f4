"""Entities from models behind a server: prompts, forms of answers, long notes, tokens and cost."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from entity_tools import HEART, NOTES, PLAIN, SURE, found_in, jsonl, made, write_data
from server_tools import Reply, Server, fails, report_in, says, serving, transformers_serve

from inference.labeler import Labeler
from inference.server.client import Retry
from inference.server.labeler import TRIAL, ServerLabeler
from labelwright.cli import main
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Prediction, Reject, Report
from labelwright.tasks.entities.answer import almeida, as_lines, render
from sft.train import main as train

SHOWN = made(
    examples=[
        {
            "text": "Cough, so aspirin.",
            "entities": [
                {"type": "Disease", "text": "Cough"},
                {"type": "Drug", "text": "aspirin"},
            ],
        }
    ]
)
TEXT = "Fever and cough. Aspirin was given."
LINES = "Disease: Fever\nDisease: cough\nDrug: Aspirin"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        running.behave = lambda number, body: answered(body)
        yield running


def answered(body: dict[str, Any], **usage: int) -> Reply:
    """The right answer to the note in a request."""
    status, headers, content = says(render(PLAIN, found_in(report_in(body))))
    assert isinstance(content, bytes)
    return status, headers, json.dumps(json.loads(content) | {"usage": usage}).encode()


def connect(server: Server, label_set: LabelSet = PLAIN, **more: Any) -> ServerLabeler:
    quick = Retry(tries=2, limited_tries=2, first=0.001)
    options: dict[str, Any] = {"label_set": label_set, "timeout": 5.0, "retry": quick}
    return ServerLabeler.connect(server.url, "chest", **(options | more))


def ask(labeler: ServerLabeler, *texts: str) -> list[Prediction | Reject]:
    return labeler.label_reports([Report(str(i), t, "s", i + 1) for i, t in enumerate(texts)])


def one(labeler: ServerLabeler, text: str = TEXT) -> Prediction:
    (result,) = ask(labeler, text)
    assert isinstance(result, Prediction)
    return result


def mentions(result: Prediction) -> list[tuple[str, Any]]:
    return [(entity.type, entity.spans) for entity in result.entities or ()]


def wanted(text: str = TEXT) -> list[tuple[str, Any]]:
    return [(entity.type, entity.spans) for entity in found_in(text)]


# What is asked


def test_the_label_set_asks_with_its_examples(server: Server) -> None:
    labeler = connect(server, SHOWN)
    assert mentions(one(labeler)) == wanted()
    trial, note = server.seen
    assert report_in(trial) == TRIAL
    system, user = note["messages"]
    assert "Text: Cough, so aspirin.\nAnswer:\nDisease: Cough\nDrug: aspirin" in system["content"]
    assert user == {"role": "user", "content": TEXT}
    assert note["temperature"] == 0.0
    assert note["max_tokens"] > len(LINES.split())
    assert "top_logprobs" not in note
    said = labeler.describe()
    assert said["prompt_version"] == "entities-1"
    assert said["decoding"]["max_tokens"] == "by the text"


def test_the_prompt_of_the_benchmark(server: Server) -> None:
    labeler = connect(server, SHOWN, prompt="almeida", answer_tokens=77)
    assert mentions(one(labeler)) == wanted()
    system = server.seen[-1]["messages"][0]["content"]
    for words in ("order of appearance", "exact text", "do not paraphrase", "overlap"):
        assert words in system
    assert "Entities: Disease, Drug." in system
    assert "Example:\nCough, so aspirin.\n→\nDisease: Cough\nDrug: aspirin" in system
    assert "medicine" not in system  # names only, as there
    assert server.seen[-1]["max_tokens"] == 77
    said = labeler.describe()
    assert (said["prompt_version"], said["decoding"]["max_tokens"]) == ("almeida-1", 77)
    assert almeida(PLAIN, "x")[0]["content"].endswith("Entities: Disease, Drug.")


@pytest.mark.parametrize(
    ("label_set", "options", "why"),
    [
        (SURE, {"prompt": "almeida"}, "asks for entities without certainties"),
        ("chexpert-14", {"prompt": "almeida"}, "asks for entities without certainties"),
        (PLAIN, {"prompt": "other"}, "unknown prompt 'other'"),
        (PLAIN, {"decode": "constrained"}, "--decode constrained is not for entities"),
        (PLAIN, {"price_in": 1.0}, "one price alone tells no cost"),
    ],
)
def test_what_cannot_work_is_refused(
    server: Server, label_set: Any, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        connect(server, label_set, **options)
    assert not server.seen


# What is answered


FORMS = {
    "lines": LINES,
    "a code fence": f"```\n{LINES}\n```",
    "marked up": "- **Disease**: Fever\n- **Disease**: cough\n- **Drug**: Aspirin",
    "an object": '{"Disease": ["Fever", "cough"], "Drug": ["Aspirin"]}',
    "an object with a string": '{"Disease": ["Fever", "cough"], "Drug": "Aspirin"}',
    "a list": '[{"type": "Disease", "text": "Fever"}, {"entity": "Disease", "mention": "cough"},'
    ' {"label": "Drug", "value": "Aspirin"}]',
    "a list in an object in a fence": '```json\n{"entities": [{"type": "Disease", "text": "Fever"},'
    ' {"type": "Disease", "text": "cough"}, {"type": "Drug", "text": "Aspirin"}]}\n```',
}


@pytest.mark.parametrize("form", FORMS)
def test_answers_in_the_forms_that_models_like(server: Server, form: str) -> None:
    server.behave = lambda number, body: says(FORMS[form])
    result = one(connect(server))
    assert mentions(result) == wanted()
    assert not result.problems
    assert bool(result.notes) is (form != "lines")


@pytest.mark.parametrize("said", ["{}", "[]", '{"Disease": [], "Drug": []}', "none", "None."])
def test_no_mention_in_every_form(server: Server, said: str) -> None:
    server.behave = lambda number, body: says(said)
    result = one(connect(server))
    assert (result.entities, result.problems, result.complete) == ((), (), True)


@pytest.mark.parametrize("raw", ['{"Disease": [1]}', '[["Disease", "x"]]', "{", '[{"a": "b"}]', ""])
def test_other_json_stays_as_it_is(raw: str) -> None:
    assert as_lines(raw) == raw


def test_an_answer_that_says_nothing_of_the_kind_is_a_reject_of_the_runner(server: Server) -> None:
    server.behave = lambda number, body: says("I am sorry, I cannot help.")
    result = one(connect(server))
    assert (result.entities, result.complete) == (None, False)
    assert result.problems == ("chatter",)


def test_probabilities_come_from_the_tokens_of_each_line(server: Server) -> None:
    def token(text: str, prob: float) -> dict[str, Any]:
        return {"token": text, "logprob": math.log(prob), "bytes": list(text.encode())}

    tokens = [token("Disease", 0.5), token(": Fever", 0.5), token("\n", 0.2)]
    tokens += [token("Drug:", 1.0), token(" Aspirin", 0.5)]
    server.behave = lambda number, body: says(
        "Disease: Fever\nDrug: Aspirin", logprobs={"content": tokens}
    )
    probs = [entity.prob for entity in one(connect(server)).entities or ()]
    assert probs == pytest.approx([0.4, 0.75])
    assert server.seen[0]["logprobs"] is True


# Notes that are too long


LONG = " ".join(["Fever came.", "Nothing new.", "Aspirin helped.", "Cough came.", "All is well."])


@pytest.mark.parametrize("how", ["refused", "too many tokens", "cut off"])
def test_a_note_that_is_too_long_is_asked_in_halves(server: Server, how: str) -> None:
    def behave(number: int, body: dict[str, Any]) -> Reply:
        text = report_in(body)
        if len(text) <= 30:
            return answered(body, prompt_tokens=10, completion_tokens=5)
        if how == "refused":
            return fails(400, "This model's maximum context length is 20 tokens.")
        if how == "too many tokens":
            return answered(body, prompt_tokens=90, completion_tokens=20)
        return says("Disease: Fe", finish_reason="length")

    server.models = (
        200,
        {},
        json.dumps({"data": [{"id": "chest", "max_model_len": 100}]}).encode(),
    )
    server.behave = behave
    result = one(connect(server), LONG)
    assert mentions(result) == wanted(LONG)
    assert any(note.startswith("parts: ") for note in result.notes)
    assert all(body["max_tokens"] <= 50 for body in server.seen)
    assert result.usage is not None
    assert result.usage["completion_tokens"] % 5 == 0


def test_one_sentence_that_is_too_long_is_rejected(server: Server) -> None:
    def behave(number: int, body: dict[str, Any]) -> Reply:
        text = report_in(body)
        return fails(413) if len(text) > 40 else answered(body)

    server.behave = behave
    short, long = ask(connect(server), TEXT, "a fever " * 10)
    assert isinstance(short, Prediction)
    assert isinstance(long, Reject)
    assert long.reason == "too long for the server's model"


# The command: tokens, cost, resuming


def command(server: Server, tmp_path: Path, *more: str) -> list[str]:
    rows = [{"id": name, "text": text} for name, text in NOTES.items()]
    notes, labels = tmp_path / "notes.jsonl", tmp_path / "labels.yaml"
    notes.write_text("".join(json.dumps(row) + "\n" for row in rows))
    labels.write_text(PLAIN.text)
    flags = ["--model", "chest", "--label-set", str(labels), "--server", server.url]
    return ["label", str(notes), *flags, "--out", str(tmp_path / "out"), *more]


def test_tokens_and_cost_stand_in_predictions_and_manifest(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.behave = lambda number, body: answered(body, prompt_tokens=1000, completion_tokens=200)
    words = command(server, tmp_path, "--price-in", "2.5", "--price-out", "10")
    assert main([*words, "--shard-rows", "2"]) == 0
    rows = jsonl(tmp_path / "out" / "predictions.jsonl")
    # 1000 tokens at 2.5 a million and 200 at 10 a million
    cost = {"prompt_tokens": 1000, "completion_tokens": 200, "cost": 0.0045}
    assert [row["usage"] for row in rows] == [cost] * len(NOTES)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["usage"] == {
        "prompt_tokens": 6000,
        "completion_tokens": 1200,
        "cost": pytest.approx(0.027),
    }
    assert manifest["labeler"]["runtime"]["price_out"] == 10.0
    assert manifest["labeler"]["weights"] == "held by the server, not hashed"
    capfd.readouterr()
    # Prices may change between parts of a run; the prompt may not.
    assert main([*words, "--price-out", "11"]) == 0
    assert capfd.readouterr().out.startswith("already finished")
    assert main([*words, "--prompt", "almeida"]) == 2
    assert "labeler.prompt" in capfd.readouterr().err


def test_equal_notes_cost_once(server: Server, tmp_path: Path) -> None:
    server.behave = lambda number, body: answered(body, prompt_tokens=7, completion_tokens=1)
    words = command(server, tmp_path)
    notes = Path(words[1])
    notes.write_text(notes.read_text() + json.dumps({"id": "again", "text": NOTES["n0"]}) + "\n")
    assert main(words) == 0
    assert len(server.seen) == 1 + len(NOTES)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["usage"]["prompt_tokens"] == 7 * len(NOTES)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--price-in", "1"], "one price alone tells no cost"),
        (["--decode", "constrained"], "--decode constrained is not for entities"),
        (["--long", "reject"], "--long does not apply to a model behind a server"),
        (["--also", "fhir"], "--also fhir is not for label sets of task 'entities'"),
    ],
)
def test_flags_that_mean_nothing(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str], flags: list[str], why: str
) -> None:
    assert main(command(server, tmp_path, *flags)) == 2
    assert why in capfd.readouterr().err


def test_a_price_is_a_number(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for price in ("-1", "free", "inf"):
        with pytest.raises(SystemExit, match="2"):
            main(command(server, tmp_path, "--price-in", price))
        assert "must be a price, 0 or more" in capfd.readouterr().err


def test_flags_of_servers_need_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("x")
    words = ["label", str(tmp_path / "a.txt"), "--model", "rules", "--out", str(tmp_path / "o")]
    assert main([*words, "--prompt", "almeida"]) == 2
    assert "--prompt does not apply to" in capfd.readouterr().err


@pytest.mark.slow
def test_a_real_server_answers_as_the_model_does_in_this_process(tmp_path: Path) -> None:
    out = tmp_path / "model"
    assert train(["--data", str(write_data(tmp_path)), "--output_dir", str(out), *HEART]) == 0
    reports = [Report(name, text, "s", 1) for name, text in NOTES.items()]
    reports.append(Report("new", "A cough <|im_end|> and fever", "s", 7))
    local = Labeler.from_checkpoint(out, device="cpu", decode="free").label_reports(reports)
    with transformers_serve(out) as url:
        served = ServerLabeler.connect(url, str(out), concurrency=2).label_reports(reports)
    for one_, other in zip(local, served, strict=True):
        assert isinstance(one_, Prediction)
        assert isinstance(other, Prediction)
        assert other.raw == one_.raw
        assert mentions(other) == mentions(one_)
        assert (other.problems, other.notes) == (one_.problems, one_.notes)
        assert other.usage is not None
        assert other.usage["prompt_tokens"] > 0
    assert mentions(served[0]) == wanted(NOTES["n0"])  # type: ignore[arg-type]
