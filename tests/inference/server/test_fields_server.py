"""Fields from models behind a server: lines or JSON, held to a schema where the server can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fields.letter_tools import LABELS
from server_tools import Server, says, serving

from inference.server.client import Retry
from inference.server.labeler import ServerLabeler
from labelwright.errors import ConfigError, ServerError
from labelwright.label_set import LabelSet
from labelwright.labelers.settings import LabelerSettings
from labelwright.loading import load_labeler
from labelwright.records import Prediction, Report
from labelwright.tasks import kind_of
from labelwright.tasks.fields.values import Status

LETTERS = LabelSet.from_text(LABELS)
TEXT = "Admitted on 04/05/2019 for chest pain. Takes aspirin and ramipril. No angina."
SAID: dict[str, Any] = {
    "AD": "04/05/2019", "CR": None, "SM": None, "AN": False, "RE": "chest pain",
    "DR": ["aspirin", "ramipril"],
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        running.behave = lambda _, body: says(json.dumps(SAID))
        yield running


def ask(server: Server, **more: Any) -> Prediction:
    quick = Retry(tries=2, limited_tries=2, first=0.001)
    options: dict[str, Any] = {"label_set": LETTERS, "timeout": 5.0, "retry": quick}
    labeler = ServerLabeler.connect(server.url, "chest", **(options | more))
    (found,) = labeler.label_reports([Report("a", TEXT, "notes", 1)])
    assert isinstance(found, Prediction)
    return found


def test_an_answer_in_json_is_held_to_the_schema(server: Server) -> None:
    found = ask(server, decode="constrained")
    form = server.seen[-1]["response_format"]["json_schema"]
    schema = form["schema"]["properties"]
    assert form["strict"]
    assert schema["AN"] == {"anyOf": [{"type": "boolean"}, {"type": "null"}]}
    assert schema["SM"]["anyOf"][0]["enum"] == ["never", "ex", "current"]
    assert schema["DR"]["anyOf"][0]["maxItems"] == 50
    value = found.value
    assert value["Admitted"].value == "2019-05-04"
    assert value["Angina"].value is False
    assert value["Creatinine"].status is Status.NOT_MENTIONED
    assert value["Drugs"].values == ("aspirin", "ramipril")
    start, end = value["Reason"].items[0].spans[0]
    assert TEXT[start:end] == "chest pain"
    assert not found.problems


def test_lines_are_read_too_and_inventions_are_named(server: Server) -> None:
    server.behave = lambda _, body: says("AD 05/05/2019\nRE chest pain\nDR statin")
    found = ask(server)
    assert "response_format" not in server.seen[-1]
    assert set(found.problems) == {"no evidence: Admitted", "no evidence: Drugs"}
    assert found.value["Drugs"].values == ("statin",)


def test_a_server_that_ignores_the_schema_is_refused(server: Server) -> None:
    server.behave = lambda _, body: says("I would rather write a poem about it than answer")
    with pytest.raises(ServerError, match="ignores the constraint"):
        ask(server, decode="constrained")


GROUPED = LabelSet.from_text(
    LABELS
    + "groups:\n  - {name: stay, fields: [Admitted, Reason]}\n"
    + "  - {name: drugs, fields: [Drugs], sections: [therapy]}\n"
)


def test_groups_are_asked_one_by_one(server: Server) -> None:
    text = "Admitted on 04/05/2019 for chest pain. No angina.\nTherapy: aspirin and ramipril."

    def behave(_: int, body: dict[str, Any]) -> Any:
        keys = body["response_format"]["json_schema"]["schema"]["required"]
        return says(json.dumps({key: SAID[key] for key in keys}))

    server.behave = behave
    labeler = load_labeler(
        LabelerSettings(
            model="chest", server=server.url, label_set=GROUPED, decode="constrained", by_group=True
        )
    ).labeler
    server.seen.clear()
    (found,) = labeler.label_reports([Report("a", text, "notes", 1)])
    assert isinstance(found, Prediction)
    asked = {
        tuple(body["response_format"]["json_schema"]["schema"]["required"]): body
        for body in server.seen
    }
    assert set(asked) == {("AD", "RE"), ("DR",), ("CR", "SM", "AN")}
    system, user = asked["DR",]["messages"]
    assert user["content"] == "Therapy: aspirin and ramipril."
    assert "Drugs" in system["content"]
    assert "Creatinine" not in system["content"]
    assert asked["CR", "SM", "AN"]["max_tokens"] < 200  # by the longest answer, not by the text
    whole = found.value
    assert list(whole) == [field.name for field in GROUPED.labels]
    assert whole["Drugs"].values == ("aspirin", "ramipril")
    spans = [text[a:b] for item in whole["Drugs"].items for a, b in item.spans]
    assert spans == ["aspirin", "ramipril"]
    assert whole["Angina"].value is False
    assert not found.problems


def test_groups_need_groups(server: Server) -> None:
    with pytest.raises(ConfigError, match="short-letters has none"):
        load_labeler(
            LabelerSettings(model="chest", server=server.url, label_set=LETTERS, by_group=True)
        )


def test_the_longest_answer_counts_bytes() -> None:
    """A tokenizer may need a token for each: three for a character of Chinese."""
    label_set = LabelSet.from_text(
        "name: letters\nversion: '1'\ntask: fields\ninstruction: Read the letter.\nfields:\n"
        "  - {name: 侧, key: 侧, type: categorical, values: [左侧, 右侧]}\n"
        "  - {name: 症状, key: 症状, type: text, most: 10}\n"
    )
    asked = {"侧": "左侧", "症状": "头" * 10}
    room = kind_of(label_set).longest_answer(label_set)
    assert room is not None
    assert room >= len(json.dumps(asked, ensure_ascii=False).encode())
