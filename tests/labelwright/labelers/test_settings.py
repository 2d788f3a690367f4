"""Every flag of a labeler over all labelers and task kinds: taken, or refused in one way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labelwright import kinds
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.labelers.settings import (
    ENCODER,
    KNN,
    MODEL,
    NEEDS,
    SERVER,
    TAGGER,
    WORDS,
    LabelerSettings,
)
from labelwright.options import HOW, as_flag

FIELDS = """
name: notes
version: '1'
task: fields
instruction: Read the note.
fields:
  - {name: Age, key: A, type: number}
  - {name: Sex, key: S, type: categorical, values: [F, M]}
"""
GROUPS = "groups:\n  - {name: one, fields: [Age]}\n  - {name: two, fields: [Sex]}\n"
YES_NO = "name: habits\nversion: '1'\ntask: yes-no\nlabels: [Smoker, Diabetes]\n"
SIMILAR = {
    *("index", "k", "neighbour_words", "neighbour_split", "most_similar"),
    *("image_column", "image_root"),
}
CHOSEN = {"calibration", "convention"}
ABLE = {
    "certainty": CHOSEN,
    "yes-no": CHOSEN,
    "entities": {"tagger"},
    "fields": {"tagger"},
    "fields in groups": {"tagger", "by_group"},
}
"""By task kind, the flags that it can use and others cannot."""


@pytest.fixture(scope="module")
def label_sets() -> Iterator[dict[str, LabelSet]]:
    with kinds.registered("yes-no", "tests.helpers.yes_no_kind:KIND"):
        yield {
            "certainty": LabelSet.load("chexpert-14"),
            "yes-no": LabelSet.from_text(YES_NO),
            "entities": LabelSet.load("disease-1"),
            "fields": LabelSet.from_text(FIELDS),
            "fields in groups": LabelSet.from_text(FIELDS + GROUPS),
        }


class Settings(LabelerSettings):
    """Settings whose labeler is known without its folder."""

    labeler = ""


def given(labeler: str, name: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(Settings, "labeler", labeler)
    return Settings(**{name: Path("x") if name == "image_root" else "x"})


FLAGS = [one.name for one in fields(LabelerSettings) if HOW in one.metadata]


@pytest.mark.parametrize("labeler", WORDS)
def test_a_flag_is_taken_or_refused_by_labeler(
    labeler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No flag is for nobody, and what one labeler refuses names those who take it."""
    strange = set(Settings().strangers(labeler))
    for name in FLAGS:
        settings = given(labeler, name, monkeypatch)
        if name not in strange:
            settings.refuse_strangers()
            continue
        with pytest.raises(ConfigError) as error:
            settings.refuse_strangers()
        takers = [word for one, word in WORDS.items() if name not in Settings().strangers(one)]
        assert takers
        flag = as_flag(name)
        assert str(error.value) == (
            f"{flag} does not apply to {WORDS[labeler]} (only to {' or '.join(takers)}); "
            f"remove {flag}"
        )


@pytest.mark.parametrize("kind", ABLE)
@pytest.mark.parametrize("labeler", WORDS)
def test_a_flag_is_taken_or_refused_by_what_is_labeled(
    labeler: str, kind: str, label_sets: dict[str, LabelSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: Any = SimpleNamespace(label_set=label_sets[kind], neighbours=None)
    refused = set()
    for name in FLAGS:
        settings = given(labeler, name, monkeypatch)
        try:
            settings.refuse_unable(loaded)
        except ConfigError as error:
            assert str(error).startswith(f"{as_flag(name)} ")  # noqa: PT017
            refused.add(name)
    similar = set() if labeler == KNN else SIMILAR
    every = {name for able in ABLE.values() for name in able}
    assert refused == (every - ABLE[kind]) | {"judge"} | similar


def test_what_needs_more_than_a_kind(
    label_sets: dict[str, LabelSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A labeler that learns takes --judge; one trained or told to show neighbours their flags."""
    learner: Any = SimpleNamespace(label_set=label_sets["fields"], learn=print)
    given("rules", "judge", monkeypatch).refuse_unable(learner)
    certain = label_sets["certainty"]
    shown: Any = SimpleNamespace(label_set=certain, neighbours={"method": "context"})
    given(MODEL, "k", monkeypatch).refuse_unable(shown)
    bare: Any = SimpleNamespace(label_set=certain, neighbours=None)
    Settings(k=3, neighbours="context").refuse_unable(bare)
    with pytest.raises(ConfigError, match=r"--k is for --neighbours .* --model knn; remove it$"):
        Settings(k=3, neighbours="none").refuse_unable(shown)
    with pytest.raises(ConfigError, match=r"for fields; remove it, or give another --label-set$"):
        given("rules", "judge", monkeypatch).refuse_unable(bare)
    grouped: Any = SimpleNamespace(label_set=label_sets["fields in groups"], neighbours=None)
    with pytest.raises(ConfigError, match="--neighbours does not go with --by-group"):
        Settings(by_group=True, neighbours="context").refuse_unable(grouped)


def test_needs_are_known_and_each_is_somebodys() -> None:
    assert set(LabelerSettings().needing().values()) == set(NEEDS)
    assert {SERVER, MODEL, ENCODER, TAGGER} <= set(WORDS)
