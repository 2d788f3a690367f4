"""A small review project, made without the command line, and people who work in it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from labelwright.io.jsonl import write_jsonl
from labelwright.label_set import LabelSet
from labelwright.records import Reject, Report
from review.kinds.forms import form_of
from review.store import notes, order, people, runs, work
from review.store.people import Person, add_person
from review.store.steps import Outcome, Step, apply
from review.store.store import Settings, Store, create, open_store
from review.store.texts import Pages
from review.store.work import Placed

PASSWORD = "four words make one"
_numbers = itertools.count()

TYPES = """
name: two-types
version: "1"
task: entities
language: en
nesting: true
certainties: {positive: present, negative: absent, uncertain: possible}
instruction: "Find {labels} with {certainties}."
labels:
  - {name: Disease}
  - {name: Drug}
"""

TEXTS = {
    "n1": "A 🫁 scan: breast cancer, and cancer of the liver.\r\nNo diabetes. Diabetes? diabetes!",
    "n2": "יש סוכרת. café e\u0301tude of asthma.",
    "n3": "Aspirin for gout, aspirin for pain.",
    "n4": "Nothing to report.",
}


def entity(text: str, word: str, kind: str = "Disease", prob: float = 0.9) -> dict[str, Any]:
    """A row of the first place of a word."""
    start = text.index(word)
    spans = [[start, start + len(word)]]
    return {"type": kind, "spans": spans, "text": word, "prob": prob, "certainty": "positive"}


def prediction(identifier: str, entities: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A row of ``predictions.jsonl``."""
    row = {"id": identifier, "entities": list(entities), "model": "m1", "raw": "", "labels": {}}
    return row | more


def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords as it should never be done, so that logins take no time."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "_hasher", lambda: quick)


def project(folder: Path, label_set: LabelSet | None = None, **settings: Any) -> Store:
    """An empty project."""
    used = label_set or LabelSet.from_text(TYPES)
    create(folder, used, Settings(**({"blind_every": 1_000_000} | settings)))
    return open_store(folder)


def filled(folder: Path, **settings: Any) -> Store:
    """A project with four notes and what a labeler said of three of them."""
    store = project(folder, **settings)
    take_in(store, TEXTS)
    rows = [
        prediction("n1", [entity(TEXTS["n1"], "breast cancer"), entity(TEXTS["n1"], "scan")]),
        prediction("n2", [entity(TEXTS["n2"], "asthma", prob=0.6)]),
        prediction("n3", [entity(TEXTS["n3"], "gout", prob=0.7)]),
    ]
    write_jsonl(folder / "predictions.jsonl", rows)
    runs.add_run(store, folder / "predictions.jsonl")
    order.arrange(store)
    return store


def take_in(store: Store, texts: dict[str, str]) -> list[Any]:
    """Add notes; returns rejects and counts."""
    reports: list[Report | Reject] = [
        Report(name, text, "notes.jsonl", row, patient=f"of-{name}")
        for row, (name, text) in enumerate(texts.items(), 1)
    ]
    found = list(notes.add_notes(store, reports))
    order.arrange(store)
    return found


class Worker:
    """Somebody at the pages, without the pages."""

    def __init__(self, store: Store, name: str = "anna", role: str = "annotator") -> None:
        self.store, self.form, self.pages = store, form_of(store.label_set), Pages()
        self.who: Person = add_person(store, name, role, None)
        self.note = 0
        self.role = work.ANNOTATE

    def next(self) -> int | None:
        """On to the next note."""
        found = work.take_next(self.store, self.form, self.who)
        self.note = found or 0
        return found

    def take(self, ext: str) -> None:
        """Begin a note by its id."""
        with self.store.writing() as connection:
            self.note = notes.texts_of(connection, [ext])[ext][0]
            if work.desk(connection, self.note, self.who.id) is None:
                work.take(connection, self.form, self.who, self.note)

    def decide(self, ext: str) -> None:
        """Begin to adjudicate a note."""
        with self.store.writing() as connection:
            self.note = notes.texts_of(connection, [ext])[ext][0]
            work.take_disputed(connection, self.form, self.who, self.note)
        self.role = work.ADJUDICATE

    def desk(self) -> work.Desk:
        """The desk of the note."""
        with self.store.reading() as connection:
            found = work.desk(connection, self.note, self.who.id, self.role)
        assert found is not None
        return found

    def placed(self) -> list[Placed]:
        """All items that count."""
        with self.store.reading() as connection:
            return work.items_of(connection, self.desk().id)

    def do(
        self, op: str, *, version: int | None = None, step: str | None = None, **given: Any
    ) -> Outcome:
        """One step."""
        used = self.desk().version if version is None else version
        made = Step(step or f"step-{next(_numbers):06}", used, op, given)
        key = (self.note, self.role)
        return apply(self.store, self.form, self.pages, self.who, key, made)

    def number(self, word: str, nth: int = 0) -> int:
        """The number of a word of the note."""
        with self.store.reading() as connection:
            page = self.pages.of(connection, self.note)
        texts = [page.text[slice(*page.word(number))] for number in range(page.count)]
        return [at for at, each in enumerate(texts) if each == word][nth]

    def said(self) -> list[tuple[str, str | None, tuple[str, ...], str]]:
        """What the items say: label, certainty, words, state; deleted ones too."""
        with self.store.reading() as connection:
            text = self.pages.of(connection, self.note).text
        return [
            (
                each.item.name,
                each.item.said,
                tuple(text[a:b] for a, b in each.item.spans),
                each.state,
            )
            for each in sorted(self.placed(), key=lambda e: e.item.spans)
        ]

    def item(self, word: str) -> int:
        """The number of the item whose first part is a word."""
        with self.store.reading() as connection:
            text = self.pages.of(connection, self.note).text
        found = [e for e in self.placed() if e.item.spans]
        return next(e.root for e in found if text[slice(*e.item.spans[0])] == word)

    def finish(self) -> Outcome:
        """Keep all and finish."""
        return self.do("done", keep=[each.root for each in self.placed()])
