"""What a server may answer: the constraints, the way back, and probabilities from its tokens."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_tools import LABELS, LINE, MODELS, fails, report_in, says, serving

from inference.server.answers import (
    gbnf,
    is_valid,
    json_schema,
    probabilities,
    regex,
)
from inference.server.client import Retry
from inference.server.labeler import TRIAL, ServerLabeler
from labelwright.errors import ServerError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.tasks.certainty.answer import as_line, choices, parse, render

TWO = LabelSet.from_text(
    """
name: two
version: "1"
task: certainty
instruction: "Say {certainties} for {labels}."
certainties: {positive: "yes(+)", negative: "yes?", blank: "no"}
labels:
  - {name: 'A [b] "c" \\', key: 'a|b "q" \\'}
  - {name: D, certainties: [positive, blank]}
"""
)
"""Names and words full of characters that mean something in regular expressions and grammars."""


@st.composite
def answers(draw: st.DrawFn, label_set: LabelSet) -> dict[str, Certainty]:
    return {
        label.name: draw(st.sampled_from(sorted(label.certainties))) for label in label_set.labels
    }


@pytest.mark.parametrize("label_set", [LABELS, TWO], ids=["chexpert", "two"])
@given(data=st.data())
def test_the_regex_is_exactly_the_answer_lines(label_set: LabelSet, data: st.DataObject) -> None:
    labels = data.draw(answers(label_set))
    line = render(label_set, labels)
    pattern = re.compile(regex(choices(label_set)))
    assert pattern.fullmatch(line)
    place = data.draw(st.integers(0, len(line) - 1))
    changed = line[:place] + data.draw(st.sampled_from("xX |.")) + line[place + 1 :]
    parsed = parse(label_set, changed, ended=True)
    known = {name: value for name, value in (parsed.value or {}).items() if value is not None}
    still = len(known) == len(label_set.names) and changed == render(label_set, known)
    assert bool(pattern.fullmatch(changed)) == still == is_valid(label_set, changed.strip("\n"))


def test_the_grammar_of_a_small_label_set() -> None:
    assert gbnf(choices(TWO)) == (
        'root ::= "a|b \\"q\\" \\\\" (" yes(+)" | " yes?" | " no") ", D" (" yes(+)" | " no") "."\n'
    )


@given(labels=answers(LABELS))
def test_a_json_answer_is_read_as_the_line(labels: dict[str, Certainty]) -> None:
    schema = json_schema(choices(LABELS))
    value = {label.key: LABELS.words[labels[label.name]] for label in LABELS.labels}
    assert list(schema["properties"]) == schema["required"] == list(value)
    assert all(value[key] in schema["properties"][key]["enum"] for key in value)
    assert as_line(json.dumps(value)) == render(LABELS, labels)
    assert is_valid(LABELS, json.dumps(value, indent=2))


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ('{"EC": "positive", "EC": "negative"}', "repeated: Enlarged Cardiomediastinum"),
        ('{"EC": "perhaps"}', "unknown certainty: Enlarged Cardiomediastinum"),
        ('{"EC": 1}', "missing: Enlarged Cardiomediastinum"),
        ('{"EC": {"CM": "positive"}}', "missing: Cardiomegaly"),
        ('{"EC": "positive"', "missing: Cardiomegaly"),
        ("[]", "missing: Edema"),
        ("[" * 100_000, "missing: Edema"),
        ("", "missing: Edema"),
    ],
)
def test_json_that_is_no_answer_has_problems(raw: str, problem: str) -> None:
    assert problem in parse(LABELS, as_line(raw), ended=True).problems
    assert not is_valid(LABELS, raw)


def token(text: str, share: float = 1.0, **others: float) -> dict[str, Any]:
    rows = {text: share} | {name.replace("_", " "): p for name, p in others.items()}
    listed = [{"token": t, "logprob": math.log(p)} for t, p in rows.items() if p]
    return listed[0] | {"top_logprobs": listed}


def test_probabilities_by_hand() -> None:
    small = LabelSet.from_text(
        "name: s\nversion: '1'\ntask: certainty\ninstruction: '{labels} {certainties}'\n"
        "labels: [{name: A}, {name: B}]\n"
    )
    raw = "A positive, B unknown."
    assert probabilities(small, raw, [token(raw)]) is None
    raw = "A positive, B uncertain."
    steps = [
        token("A"),
        # The chosen token stands among its own alternatives and counts once; " maybe" is no
        # option. 0.5 : 0.25 : 0.05 of 0.8 in all.
        token(" positive", 0.5, _negative=0.25, _blank=0.05, _maybe=0.2),
        token(", B"),
        # " un" begins one option only; " " begins all, and is too rare to matter.
        token(" un", 0.6, _neg=0.397, _=0.003),
        token("certain", 0.9, known=0.1),
        token("."),
        {"token": "<|im_end|>", "logprob": 0.0, "top_logprobs": []},
    ]
    found = probabilities(small, raw, steps)
    assert found is not None
    assert found["A"] == pytest.approx(
        {"positive": 0.625, "negative": 0.3125, "uncertain": 0.0, "blank": 0.0625}
    )
    assert found["B"] == pytest.approx(
        {"positive": 0.0, "negative": 0.397 / 0.997, "uncertain": 0.6 / 0.997, "blank": 0.0}
    )


def test_no_probability_where_the_tokens_do_not_tell() -> None:
    small = LabelSet.from_text(
        "name: s\nversion: '1'\ntask: certainty\ninstruction: '{labels} {certainties}'\n"
        "labels: [{name: A}, {name: B}]\n"
    )
    raw = "A positive, B blank."
    head, tail = [token("A"), token(" positive", 0.9, _blank=0.1)], [token(", B blank.")]
    vague = [token("A"), token(" positive", 0.9, _=0.1), *tail]
    assert probabilities(small, raw, [*head, *tail]) == {
        "A": pytest.approx({"positive": 0.9, "negative": 0, "uncertain": 0, "blank": 0.1}),
        "B": pytest.approx({"positive": 0, "negative": 0, "uncertain": 0, "blank": 1.0}),
    }
    assert list(probabilities(small, raw, vague) or {}) == ["B"]
    for broken in (None, [], [{}], "tokens", [{"token": "A"}], head, [*tail, *head]):
        assert probabilities(small, raw, broken) is None


def test_bytes_stand_for_characters_cut_by_tokens() -> None:
    umlaut = LabelSet.from_text(
        "name: s\nversion: '1'\ntask: certainty\ninstruction: '{labels} {certainties}'\n"
        "certainties: {positive: größer, blank: nö}\nlabels: [{name: Ö}]\n"
    )
    raw = "Ö größer."
    spelled = raw.encode()
    cut = [spelled[:1], spelled[1:6], spelled[6:]]
    steps = [{"token": "\ufffd", "bytes": list(part), "logprob": 0.0} for part in cut]
    other = {"token": "\ufffd n", "bytes": [*spelled[1:3], ord("n")], "logprob": math.log(0.2)}
    steps[1] |= {"logprob": math.log(0.8), "top_logprobs": [other]}
    found = probabilities(umlaut, raw, steps)
    assert found == {"Ö": pytest.approx({"positive": 0.8, "blank": 0.2})}


def connect(url: str, **more: Any) -> ServerLabeler:
    return ServerLabeler.connect(
        url, "chest", label_set=LABELS, retry=Retry(tries=2, first=0.001), **more
    )


@pytest.mark.parametrize(
    ("kind", "owner", "asks"),
    [
        (
            "vllm",
            "vllm",
            {"structured_outputs": {"regex": regex(choices(LABELS))}, "repetition_penalty": 1.0},
        ),
        ("llama.cpp", "llamacpp", {"grammar": gbnf(choices(LABELS)), "repeat_penalty": 1.0}),
        ("llama.cpp", "me", {"grammar": gbnf(choices(LABELS)), "repeat_penalty": 1.0}),
        (
            "openai",
            "nobody",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "labels",
                        "strict": True,
                        "schema": json_schema(choices(LABELS)),
                    },
                }
            },
        ),
    ],
)
def test_each_kind_is_recognised_and_asked_in_its_own_way(
    kind: str, owner: str, asks: dict[str, Any]
) -> None:
    with serving() as server:
        row = MODELS[0] | {"owned_by": owner}
        server.models = (200, {}, json.dumps({"data": [row]}).encode())
        labeler = connect(server.url, decode="constrained")
        assert labeler.kind == kind
        labeler.label_reports([Report("1", "Clear. <|im_end|>", "t", 1), Report("2", " ", "t", 2)])
    trial, asked = server.seen
    assert report_in(trial) == TRIAL
    assert report_in(asked) == "Clear. < |im_end|>"
    for body in server.seen:
        assert body["temperature"] == 0
        assert (body["logprobs"], body["top_logprobs"]) == (True, 20)
        assert asks.items() <= body.items()
        # Every answer fits: no token is shorter than a byte.
        assert body["max_tokens"] >= len(json.dumps({x.key: "uncertain" for x in LABELS.labels}))


def test_what_becomes_of_answers() -> None:
    free = "EC blank, CM perhaps."
    given = {
        "Nothing to change.": says(LINE),
        "<s>Marked.": says(LINE),
        "Chatter.": says(free),
        "Long.": says(LINE[:40], finish_reason="length"),
        "None.": says(None),
    }
    with serving() as server:
        labeler = connect(server.url)
        server.behave = lambda number, body: given[report_in(body).replace("< s>", "<s>")]
        rows = [Report(str(row), text, "t", row) for row, text in enumerate(given, 1)]
        found = labeler.label_reports([*rows, Report("6", " \n", "t", 6)])
    whole, marked, chatter, long, none, empty = found
    assert isinstance(whole, Prediction)
    assert whole.complete
    assert (whole.raw, whole.problems, whole.notes, whole.model) == (LINE, (), (), "chest")
    assert isinstance(marked, Prediction)
    assert marked.notes == ("special token in the text",)
    assert isinstance(chatter, Prediction)
    assert chatter.raw == free
    assert "unknown certainty: Cardiomegaly" in chatter.problems
    assert isinstance(long, Prediction)
    assert "cut off" in long.problems
    assert isinstance(none, Prediction)
    assert set(none.labels.values()) == {None}
    assert empty == Reject("6", "t", 6, "the report is empty")


def test_a_constraint_that_is_ignored_is_noticed_before_a_report_is_sent() -> None:
    with serving() as server:
        server.behave = lambda number, body: says("All is well.")
        with pytest.raises(ServerError, match="ignores the constraint on its answers"):
            connect(server.url, decode="constrained")
        server.behave = lambda number, body: fails(400, "unknown field")
        with pytest.raises(ServerError, match=r"refuses constrained answers \(HTTP 400\)"):
            connect(server.url, decode="constrained")
        server.behave = lambda number, body: says(LINE[:30], finish_reason="length")
        with pytest.raises(ServerError, match="did not end its answer within"):
            connect(server.url, decode="constrained")
    assert {report_in(body) for body in server.seen} == {TRIAL}


def test_a_constraint_that_is_ignored_later_is_not_trusted() -> None:
    with serving() as server:
        labeler = connect(server.url, decode="constrained")
        server.behave = lambda number, body: says("EC positive, XX positive.")
        (found,) = labeler.label_reports([Report("1", "Clear.", "t", 1)])
    assert isinstance(found, Prediction)
    assert not found.complete
    assert "unknown observation" in found.problems


def test_servers_that_give_no_probabilities_are_asked_for_none() -> None:
    with serving() as server:
        server.behave = lambda number, body: (
            fails(400, "logprobs are not supported") if "logprobs" in body else says(LINE)
        )
        labeler = connect(server.url)
        (found,) = labeler.label_reports([Report("1", "Clear.", "t", 1)])
    assert isinstance(found, Prediction)
    assert found.complete
    assert found.probs is None
    assert "logprobs" not in labeler.describe()["decoding"]


def test_what_two_runs_must_share() -> None:
    with serving() as one, serving() as other:
        first = dict(connect(one.url).describe())
        second = dict(connect(other.url, concurrency=3, timeout=9.0).describe())
        forced = dict(connect(one.url, decode="constrained").describe())
    assert first.pop("runtime") != second.pop("runtime")
    assert first == second != forced
    assert first["weights"] == "held by the server, not hashed"
    assert first["server"] == {"kind": "openai", "place": "this machine", "lists_the_model": True}
    assert json.loads(json.dumps(first)) == first
