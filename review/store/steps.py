"""One step of work: a decision, a mark, a border moved; undone and redone over all notes.

A step carries the version of the desk that it was made on. One made on an older version is a
conflict, and nothing of it is done; one that arrives a second time, because the answer to the first
was lost, is done once. A step's items, its event and the desk's new version are on disk together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select, update

from labelwright.text.amounts import amount
from review.kinds.base import Form, Item
from review.store import events, work
from review.store.events import Happening
from review.store.people import DECIDERS, Person
from review.store.store import Store, now
from review.store.tables import assignment, event, item
from review.store.texts import Pages
from review.store.work import Desk, Placed, RefusedError
from review.text.lines import Page
from review.text.words import letters

REASONS = ("not readable", "not for this project", "unsure, ask a colleague", "too long now")
"""Why a note is skipped."""
_MOST_SAME = 500
_LONGEST_VALUE = 2000


class ConflictError(Exception):
    """The desk has changed since the page was read."""


@dataclass(frozen=True, slots=True)
class Step:
    """What the browser asks for.

    Attributes:
        step: a name of its own, so that it is not done twice.
        version: of the desk that it was made on.
        op: one of :data:`OPERATIONS`.
        given: what belongs to the operation; places are numbers of words.
    """

    step: str
    version: int
    op: str
    given: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step did: the note that it was about, the one to go on with, the item it made.

    Attributes:
        touched: the roots of the items that are new or changed; ``None`` where all may be.
    """

    note: int
    next: int | None = None
    said: str = ""
    made: int | None = None
    role: str = work.ANNOTATE
    touched: frozenset[int] | None = None


def apply(
    store: Store, form: Form, pages: Pages, who: Person, desk_key: tuple[int, str], step: Step
) -> Outcome:
    """Do one step.

    Args:
        desk_key: the note, and the role in which somebody works on it.

    Raises:
        ConflictError: it was made on an older version.
        RefusedError: it cannot be done.
    """
    note, role = desk_key
    with store.reading() as connection:
        page = pages.of(connection, note)  # a long one takes a while: not while others wait
    with store.writing() as connection:
        found = work.desk(connection, note, who.id, role)
        if found is None:
            raise RefusedError("this note is not yours to work on")
        done = connection.scalar(
            select(event.c.note).where(event.c.person == who.id, event.c.step == step.step)
        )
        if done is not None:
            after = work.next_in(connection, form, who) if step.op in ("done", "skip") else None
            return Outcome(done, next=after, role=role)
        if step.op in ("undo", "redo"):
            return _back(connection, found, who, step)
        if step.version != found.version:
            raise ConflictError
        if found.state != work.OPEN and step.op != "reopen":
            raise RefusedError("this note is finished; undo, or open it again")
        change = _Change(connection, form, page, found)
        act = OPERATIONS.get(step.op)
        if act is None:
            raise RefusedError("no such step")
        said = act(change, step.given)
        change.finish(who, step)
        closes = change.state in (work.DONE, work.SKIPPED)
        follows = work.next_in(connection, form, who) if closes and role == work.ANNOTATE else None
        made = change.made if step.op in ("add", "same") else None
        touched = frozenset(change.touched)
        return Outcome(note, next=follows, said=said, made=made, role=role, touched=touched)


class _Change:
    """What one step does to a desk, gathered and then written with its event."""

    def __init__(self, connection: Connection, form: Form, page: Page, on: Desk) -> None:
        self.connection, self.form, self.page, self.desk = connection, form, page, on
        self.items = {each.root: each for each in work.items_of(connection, on.id)}
        self.state = on.state
        self.why: str | None = None
        self.made: int | None = None
        self.touched: set[int] = set()
        self._before: list[int] = []
        self._after: list[int] = []

    def item(self, given: Mapping[str, Any]) -> Placed:
        found = self.items.get(_whole(given.get("item")))
        if found is None:
            raise RefusedError("this proposal is no longer there")
        return found

    def put(self, made: Item, state: str, old: Placed | None = None, *what: str) -> Item:
        """Add an item, in the place of another where one is given; ``what`` was changed of it.

        Returns:
            The item as the form settled it.
        """
        try:
            if what:
                made = self.form.settled(made, self.page.text, frozenset(what))
            self.form.check(made, len(self.page.text))
        except ValueError as error:
            raise RefusedError(str(error)) from None
        first = None if old is None else old.root
        if old is not None:
            self._before.append(old.id)
            self.connection.execute(update(item).where(item.c.id == old.id).values(live=False))
        body = json.dumps(made.to_json(), ensure_ascii=False)
        number = self.connection.execute(
            item.insert()
            .values(assignment=self.desk.id, live=True, state=state, body=body, first=first)
            .returning(item.c.id)
        ).scalar_one()
        self._after.append(number)
        placed = Placed(number, state, made, first)
        self.items[placed.root] = placed
        self.made = self.made or placed.root
        self.touched.add(placed.root)
        return made

    def spans(self, given: Any) -> tuple[tuple[int, int], ...]:
        """Spans from word numbers ``[[first, last], …]``."""
        found = []
        for pair in given if isinstance(given, list) else ():
            if not isinstance(pair, list) or len(pair) != 2:
                raise RefusedError("mark some words first")
            first, last = sorted((_whole(pair[0]), _whole(pair[1])))
            if not 0 <= first <= last < self.page.count:
                raise RefusedError("there are no such words")
            found.append((self.page.word(first)[0], self.page.word(last)[1]))
        if not found:
            raise RefusedError("mark some words first")
        return _united(found)

    def finish(self, who: Person, step: Step) -> None:
        before: dict[str, Any] = {"items": self._before}
        after: dict[str, Any] = {"items": self._after}
        if self.state != self.desk.state:
            before["state"], after["state"] = self.desk.state, self.state
            if self.why is not None:
                after["why"] = self.why
        _write_desk(self.connection, self.desk, self.state, self.why)
        happening = Happening(
            step.op, who.id, self.desk.note, self.desk.id, before, after, step.step
        )
        events.append(self.connection, happening)


def _write_desk(connection: Connection, on: Desk, state: str, why: str | None = None) -> None:
    values: dict[str, Any] = {"version": on.version + 1}
    if state != on.state:
        values |= {"state": state, "why": why, "closed": None if state == work.OPEN else now()}
    connection.execute(update(assignment).where(assignment.c.id == on.id).values(**values))
    if state != on.state:
        work.settle_queue(connection, on.note)


# Operations


def _keep(change: _Change, given: Mapping[str, Any]) -> str:
    old = change.item(given)
    state = old.state if old.state == "changed" else "added" if _own(old) else "kept"
    change.put(old.item, state, old)
    return f"kept {old.item.name}"


def _own(old: Placed) -> bool:
    """Whether what is said is the person's own, not a labeler's."""
    return old.state in ("added", work.BLANK)


def _delete(change: _Change, given: Mapping[str, Any]) -> str:
    old = change.item(given)
    change.put(old.item, "deleted", old)
    return f"deleted {old.item.name}"


def _change(change: _Change, given: Mapping[str, Any]) -> str:
    """Another label, certainty, value or place of an item."""
    old = change.item(given)
    what: dict[str, Any] = {}
    if "name" in given and change.form.mode != "marks":
        raise RefusedError("a label stays what it is; change what is said of it")
    if "name" in given:
        what["name"] = str(given["name"])
        what["said"] = _fitting(change.form, what["name"], old.item.said)
    if "said" in given:
        what["said"] = str(given["said"])
    if "value" in given:
        what["value"] = _written(change.form, given["value"])
    if "words" in given:
        what["spans"] = change.spans(given["words"])
    made = replace(old.item, **what)
    if made.key == old.item.key and old.state in ("kept", "changed", "added"):
        raise RefusedError("it says so already")
    same = made.key == old.item.key
    state = "added" if _own(old) else "kept" if same else "changed"
    made = change.put(made if same else replace(made, prob=None), state, old, *what)
    return f"{made.name} {made.said or ''}".strip()


def _fitting(form: Form, name: str, said: str | None) -> str | None:
    """A certainty that the label takes, the one there was if it does."""
    options = (
        [option.name for option in form.options(name)] if name in form.label_set.by_name else []
    )
    return said if said in options else options[0] if options else None


def _add(change: _Change, given: Mapping[str, Any]) -> str:
    name = str(given.get("name"))
    said = str(given["said"]) if "said" in given else _fitting(change.form, name, None)
    spans = change.spans(given["words"]) if given.get("words") else ()
    value = _written(change.form, given["value"]) if "value" in given else None
    made = Item(name, said=said, spans=spans, value=value)
    if change.form.mode == "choices":
        raise RefusedError("every label is there already; change it")
    if any(e.item.key == made.key and e.state != "deleted" for e in change.items.values()):
        raise RefusedError("this is marked already")
    what = [part for part in ("spans", "value") if getattr(made, part)]
    if change.form.mode == "values" and (old := _instead(change, name)) is not None:
        change.put(made, "added" if _own(old) else "changed", old, *what)
    else:
        change.put(made, "added", None, *what)
    return f"marked {name}"


def _written(form: Form, value: Any) -> Any:
    """What somebody wrote as a value: words alone, what they mean is found by the form."""
    raw = value.get("raw") if isinstance(value, dict) else None
    if form.mode != "values" or not isinstance(raw, str):
        raise RefusedError("write a value")
    return {"raw": raw[:_LONGEST_VALUE]}


def _instead(change: _Change, name: str) -> Placed | None:
    """What a new value of a field takes the place of: nothing, or the one there can be."""
    there = [each for each in change.items.values() if each.item.name == name]
    silent = [each for each in there if not each.item.value or each.state == "deleted"]
    return next(iter(silent if change.form.takes_many(name) else silent or there), None)


def _border(change: _Change, given: Mapping[str, Any]) -> str:
    """Move the start or the end of an item by a word, or by a sign within it."""
    old = change.item(given)
    if not old.item.spans:
        raise RefusedError("it has no place in the text")
    by = 1 if _whole(given.get("by"), -1) > 0 else -1
    spans = [[*span] for span in old.item.spans]
    at, place = (0, 0) if given.get("edge") == "start" else (-1, 1)
    borders = _borders(change.page, old.item.spans, place, signs=given.get("unit") == "sign")
    spans[at][place] = _moved(borders, spans[at][place], by)
    made = tuple((start, end) for start, end in spans)
    if any(start >= end for start, end in made) or _united(made) != made or made == old.item.spans:
        raise RefusedError("the border cannot move further")
    state = "added" if old.state == "added" else "changed"
    change.put(replace(old.item, spans=made, prob=None), state, old, "spans")
    return "border moved"


def _borders(page: Page, spans: Sequence[tuple[int, int]], place: int, *, signs: bool) -> list[int]:
    """Where a border may come to stand: at starts (0) or ends (1) of words, or between signs."""
    at = (page.covering((spans[0][0], spans[-1][1])) or (0, 0))[place]
    near = [page.word(number) for number in range(max(0, at - 2), min(page.count, at + 3))]
    if signs:
        inner = (letters(page.text, span) for span in near)
        return sorted({border for each in inner for border in (each[1:] if place else each[:-1])})
    return [span[place] for span in near]


def _moved(borders: Sequence[int], at: int, by: int) -> int:
    """The next border behind or before a place; the place itself where there is none."""
    further = [b for b in borders if b > at] if by > 0 else [b for b in borders if b < at]
    return at if not further else further[0] if by > 0 else further[-1]


def _part(change: _Change, given: Mapping[str, Any]) -> str:
    """Add words to an item, as a further part where they stand apart."""
    old = change.item(given)
    spans = _united([*old.item.spans, *change.spans(given.get("words"))])
    if spans == old.item.spans:
        raise RefusedError("these words belong to it already")
    state = "added" if old.state == "added" else "changed"
    change.put(replace(old.item, spans=spans, prob=None), state, old, "spans")
    return "part added"


def _same(change: _Change, given: Mapping[str, Any]) -> str:
    """Propose the item wherever else its words stand in the note."""
    old = change.item(given)
    if len(old.item.spans) != 1:
        raise RefusedError("only items in one piece can be looked for")
    page = change.page
    inner = page.covering(old.item.spans[0])
    if inner is None:
        raise RefusedError("it has no words")
    wanted = [page.text[slice(*page.word(n))] for n in range(inner[0], inner[1] + 1)]
    pattern = re.compile(r"\s*".join(re.escape(each) for each in wanted), re.IGNORECASE)
    have = {e.item.spans for e in change.items.values() if e.item.name == old.item.name}
    count = 0
    for match in pattern.finditer(page.text):
        first, last = page.covering(match.span()) or (0, -1)
        whole = last - first + 1 == len(wanted) and match.span() == (
            page.word(first)[0],
            page.word(last)[1],
        )
        if whole and (match.span(),) not in have:
            if count == _MOST_SAME:
                return f"proposed at {count} more places; once more for the next"
            change.put(Item(old.item.name, old.item.said, (match.span(),), old.item.value), "open")
            count += 1
    if not count:
        raise RefusedError("these words stand nowhere else unmarked")
    return f"proposed at {count} more place{'s' * (count != 1)}"


def _side(change: _Change, given: Mapping[str, Any]) -> str:
    """Take all that one annotator says, and nothing else of what is open."""
    name = str(given.get("by"))
    if not any(name in each.item.by for each in change.items.values()):
        raise RefusedError("there is no such annotator here")
    for each in list(change.items.values()):
        if each.state == "open":
            change.put(each.item, "kept" if name in each.item.by else "deleted", each)
    return f"took what {name} says"


def _rest(change: _Change, _given: Mapping[str, Any]) -> str:
    """Say of all labels that are left that the note says nothing of them."""
    left = [each for each in change.items.values() if each.state == work.BLANK]
    if not left:
        raise RefusedError("every label is answered")
    for each in left:
        change.put(each.item, "added", each)
    return f"nothing said of {amount(len(left), 'label')}"


def _done(change: _Change, given: Mapping[str, Any]) -> str:
    """Keep what is open and was seen, then finish the note.

    Labels of a note without proposals are not kept so: silence is no answer until it is given.
    """
    left = sum(each.state == work.BLANK for each in change.items.values())
    if left:
        raise RefusedError(
            f"{amount(left, 'label')} without an answer: answer, or press n (nothing else)"
        )
    seen = given.get("keep")
    numbers = {each for each in seen if isinstance(each, int)} if isinstance(seen, list) else set()
    unseen = [e for e in change.items.values() if e.state == "open" and e.root not in numbers]
    if unseen:
        raise RefusedError(
            f"{len(unseen)} proposal{'s' * (len(unseen) != 1)} not seen or decided yet"
        )
    for each in list(change.items.values()):
        if each.state == "open":
            change.put(each.item, "kept", each)
    stays = [each.item for each in change.items.values() if each.state != "deleted"]
    if troubles := change.form.troubles(stays):
        raise RefusedError(troubles[0])
    change.state = work.DONE
    return "done"


def _skip(change: _Change, given: Mapping[str, Any]) -> str:
    why = str(given.get("why"))
    if why not in REASONS:
        raise RefusedError(f"choose why: {', '.join(REASONS)}")
    change.state, change.why = work.SKIPPED, why
    return "skipped"


def _reopen(change: _Change, _given: Mapping[str, Any]) -> str:
    _free_to_change(change.connection, change.desk)
    change.state = work.OPEN
    return "open again"


OPERATIONS: Mapping[str, Callable[[_Change, Mapping[str, Any]], str]] = {
    "keep": _keep,
    "delete": _delete,
    "change": _change,
    "add": _add,
    "border": _border,
    "part": _part,
    "same": _same,
    "side": _side,
    "rest": _rest,
    "done": _done,
    "skip": _skip,
    "reopen": _reopen,
}


# Undo


def _back(connection: Connection, on: Desk, who: Person, step: Step) -> Outcome:
    """Undo the person's last step, or redo what was undone last, on whatever note it was."""
    target = events.undoable(connection, who.id, redo=step.op == "redo")
    if target is None:
        raise RefusedError(f"nothing to {step.op}")
    there = work.desk_by_id(connection, target.assignment)
    if there.id == on.id and step.version != on.version:
        raise ConflictError
    if there.role == work.ADJUDICATE and who.role not in DECIDERS:
        raise RefusedError("your role does not allow this")
    _free_to_change(connection, there)
    before, after = json.loads(target.before), json.loads(target.after)
    for side, live in ((after, False), (before, True)):
        numbers = item.c.id.in_(side.get("items", ()))
        connection.execute(update(item).where(numbers).values(live=live))
    state = before.get("state", there.state)
    _write_desk(connection, there, state, before.get("why"))
    happening = Happening(
        step.op, who.id, there.note, there.id, after, before, step.step, target.id
    )
    events.append(connection, happening)
    return Outcome(there.note, said=f"{step.op}: {target.kind}", role=there.role)


def _free_to_change(connection: Connection, on: Desk) -> None:
    """Refuse to reopen what somebody adjudicates by now.

    Raises:
        RefusedError: somebody else than the desk's person, or the desk is an annotator's.
    """
    adjudicator = work.adjudicator(connection, on.note)
    if adjudicator is not None and (on.role == work.ANNOTATE or adjudicator != on.person):
        raise RefusedError("the note is being adjudicated")


def _united(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans in order, those that touch or overlap made one."""
    whole: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return tuple(whole)


def _whole(given: Any, default: int = -1) -> int:
    return given if isinstance(given, int) and not isinstance(given, bool) else default
