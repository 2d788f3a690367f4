"""Expressions of users end on any text: with matches, or with the reason of a reject."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from baselines.rules.fields import FieldRules
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.readers.documents.pages import Page, Word
from labelwright.readers.documents.split import letters, split_at
from labelwright.records import Prediction, Reject, Report
from labelwright.text import expressions
from labelwright.text.expressions import Allowance, SlowExpressionError, compiled

HOSTILE = {
    "exponential": (r"(?:x|xx|x.)+\d!", "x" * 60 + "1"),
    "quadratic": (r"\w*:\s*\d", "x" * 1_000_000 + ":"),
    "cubic": (r"x*x*x*\d", "x" * 3_000 + "\n1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_expression_without_end_is_a_reject(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expressions, "SECONDS", 0.2)
    monkeypatch.setattr(expressions, "MORE", 0.2)
    expression, text = HOSTILE[name]
    form = "{name: a, version: '1', task: fields, instruction: x, fields: [{name: A, type: text}]}"
    rules_file = tmp_path / "rules.yaml"
    rules_file.write_text(f"A: ['{expression}']", encoding="utf-8")
    label_set = tmp_path / "set.yaml"
    label_set.write_text(form, encoding="utf-8")
    rules = FieldRules.for_label_set(LabelSet.load(label_set), rules_file)
    began = time.process_time()
    hostile, plain = rules.label_reports(
        [Report("1", text, "s", 7), Report("2", "xx1!, x: 1", "s", 8)]
    )
    assert time.process_time() - began < 5  # a tenth of a second is enough where it is allowed
    assert isinstance(hostile, Reject)
    assert hostile.row == 7
    assert hostile.reason.startswith("regular expressions take more than")
    assert "x" * 3 not in hostile.reason
    assert isinstance(plain, Prediction)
    assert plain.value["A"].value in ("xx1!", "x: 1", "xx1")


def test_all_expressions_of_a_text_share_what_they_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expressions, "SECONDS", 0.05)
    allowance, digit = Allowance("1"), compiled(r"\d")
    assert [match[0] for match in allowance.matches(digit, "1 2")] == ["1", "2"]
    for match in allowance.matches(digit, "1"):
        began = time.process_time()  # what is done with a match is counted
        while time.process_time() - began < 0.06:
            pass
        assert match[0] == "1"
    with pytest.raises(SlowExpressionError):
        list(allowance.matches(digit, "1 " * 1_000_000))


def test_a_page_that_split_at_does_not_come_to_an_end_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expressions, "SECONDS", 0.1)
    page = Page(1, ((Word("x" * 3_000 + "_1"),),))
    with pytest.raises(SlowExpressionError):
        list(letters([page], split_at(r"x*x*x*\d")))


@pytest.mark.parametrize("wrong", ["(", "[", "a{99999999999}", "(" * 5000 + ")" * 5000])
def test_what_is_no_expression_is_an_error_of_the_user(wrong: str) -> None:
    with pytest.raises(ConfigError, match="no regular expression"):
        compiled(wrong)
