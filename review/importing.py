"""Notes, annotations and predictions into a project; what cannot be used is listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelwright.errors import ConfigError
from labelwright.io.jsonl import write_jsonl
from labelwright.readers import ReadOptions, read_reports, scan
from labelwright.records import Reject, Report
from labelwright.runtime.progress import progress_bar
from labelwright.text.amounts import amount
from review.kinds.base import Form
from review.kinds.forms import form_of
from review.store import annotated, notes, order, people, runs, work
from review.store.notes import Imported
from review.store.store import Store

REJECTS = "rejects.jsonl"


@dataclass
class Done:
    """What an import brought."""

    notes: Imported = field(default_factory=Imported)
    annotated: int = 0
    runs: list[runs.Taken] = field(default_factory=list)
    waiting: int = 0
    rejects: list[Reject] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing at all came in."""
        taken = any(each.notes or each.again for each in self.runs)
        return not (self.notes.added or self.notes.known or self.annotated or taken)

    def lines(self) -> Iterator[str]:
        """For the terminal."""
        known = f", {self.notes.known} were there already" if self.notes.known else ""
        yield f"{amount(self.notes.added, 'note')} added{known}"
        if self.annotated:
            yield f"{amount(self.annotated, 'note')} with a person's annotations"
        for each in self.runs:
            if each.again:
                yield f"run {each.run}: these predictions were there already"
            else:
                proposals, notes = amount(each.proposals, "proposal"), amount(each.notes, "note")
                yield f"run {each.run}: {proposals} on {notes}"
        yield f"{amount(self.waiting, 'note', 'wait')} to be annotated"
        if self.rejects:
            rows = amount(len(self.rejects), "row")
            yield f"{rows} could not be used; see {REJECTS} in the project"


@dataclass(frozen=True)
class Given:
    """Notes to take in.

    Attributes:
        more: notes from elsewhere than files.
        cut: what keeps of reports the sections that the project is about.
    """

    files: Sequence[Path]
    reading: ReadOptions
    more: Iterable[Report | Reject] = ()
    cut: Callable[[Iterable[Report | Reject]], Iterable[Report | Reject]] = iter

    def read(self) -> Iterable[Report | Reject]:
        """The notes of the files."""
        return self.cut(read_reports(self.files, self.reading)) if self.files else ()


def import_all(
    store: Store,
    given: Given,
    *,
    predictions: Sequence[Path] = (),
    annotator: str = "",
    labels: Path | None = None,
    number: int | None = None,
) -> Done:
    """Take everything in and put the queue in order.

    Args:
        annotator: whose finished work the input's annotations are.
        labels: a file of values that are this person's.
        number: the round of training that made the predictions.

    Raises:
        InputError, ConfigError: a file cannot be read, or there is no such person.
    """
    done = Done()
    (store.folder / REJECTS).unlink(missing_ok=True)  # of an earlier import
    form = form_of(store.label_set)
    who = None
    if annotator:
        with store.reading() as connection:
            who = people.find_person(connection, annotator)
        if who is None:
            raise ConfigError(
                f"there is no {annotator}", remedy="add them with labelwright review user add"
            )
    if given.files:
        rows = scan(given.files, given.reading).rows
        found = given.read()
        _take(store, done, progress_bar(found, "notes", rows, unit=" notes", leave=False))
    if given.more:
        more = given.cut(given.more)
        _take(store, done, progress_bar(more, "notes", unit=" notes", leave=False))
    for path in predictions:
        with progress_bar(desc="predictions", unit=" notes", leave=False) as bar:
            taken = runs.add_run(store, path, number=number, seen=mover(bar))
        done.runs.append(taken)
        done.rejects += taken.rejects
    done.waiting = order.arrange(store)
    if who is not None:
        known = None if labels is None else form.kind.values(labels, store.label_set)
        values = _values(form, given.read(), known)
        counts, refused = annotated.add_finished(store, form, who, values)
        done.annotated = counts
        done.rejects += refused
        with store.reading() as connection:
            done.waiting = work.progress(connection).get("new", 0)
    if done.rejects:
        write_jsonl(store.folder / REJECTS, (reject.to_json() for reject in done.rejects))
    return done


def mover(bar: Any) -> Callable[[int], None]:
    """What moves a progress bar on."""

    def move(count: int) -> None:
        bar.update(count)

    return move


def _take(store: Store, done: Done, found: Iterable[Report | Reject]) -> None:
    for each in notes.add_notes(store, found):
        if isinstance(each, Imported):
            done.notes.added += each.added
            done.notes.known += each.known
            done.notes.rejected += each.rejected
        else:
            done.rejects.append(each)


def _values(
    form: Form, found: Iterable[Report | Reject], known: Mapping[str, Any] | None
) -> Iterator[tuple[Report, Any]]:
    """Reports with what a person said of them."""
    for each in found:
        if isinstance(each, Reject):
            continue
        if known is not None:
            if each.id in known:
                yield each, known[each.id]
        elif each.entities is not None and form.mode == "marks":
            yield each, each.entities
