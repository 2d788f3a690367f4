"""How a report looks: headings or none, sentences, numbered points, lists by organ, lines."""

from __future__ import annotations

from collections.abc import Sequence

from data_builders.synthetic.grammar import Grammar
from data_builders.synthetic.noise import Manner
from data_builders.synthetic.phrases import Draw, pick
from data_builders.synthetic.statements import Says, Statement
from labelwright.records import Section

FRONT = ("indication", "comparison", "technique")
WIDTH = 78
HEADED, SHORT_HEADED = 0.5, 0.1
"""Shares of reports and of short texts with section headings."""
JOINED, SHORT_JOINED = 0.06, 0.12
"""Shares of statements that end without a full stop, joined to the next."""
SHORT_LISTED = 0.08
"""Share of short texts that are lists with marks."""
BORDERS = ("; ", "; ", " - ", " – ", " — ")
"""What ends the scope of a negation or hedge between two clauses of a sentence."""
JOINS = (", and ", ", ", " and ", "; ", ", but ", " but ", ", while ", " - ", " ")
"""What may stand before a clause that has its own subject or its own negation."""
SAFE_AFTER_AND = ("there ", "the ", "no ")
"""Openings that keep a clause out of the scope of a negation or hedge before the 'and'."""


class Page:
    """Collects the text of one report and where its parts and statements stand in it."""

    def __init__(
        self, grammar: Grammar, draw: Draw, manner: Manner, *, short: bool = False
    ) -> None:
        self._grammar = grammar
        self._lexicon = grammar.lexicon
        self._draw = draw
        self._manner = manner
        self._pieces: list[str] = []
        self._length = 0
        self._wrap = False
        self._headed = SHORT_HEADED if short else HEADED
        self._joined = SHORT_JOINED if short else JOINED
        self._listed = SHORT_LISTED if short else 0.0
        self._start = 0
        self.sections: list[Section] = []
        self.evidence: dict[str, list[tuple[int, int]]] = {}
        self.clauses: list[tuple[int, int, Says]] = []

    def lay_out(self, body: Sequence[Statement], end: Sequence[Statement]) -> None:
        """Write all parts in one of the usual forms."""
        draw, front, headings = self._draw, self._lexicon.front, self._lexicon.headings
        headed = bool(headings) and draw() < self._headed
        self._wrap = draw() < 0.1
        gap = pick(draw, ("\n", "\n\n", " "))
        if headed:
            for name in FRONT:
                if name in front and draw() < 0.6:
                    self._part(name, gap, headed)
                    self._sentence(self._grammar.front(draw, name))
                    self._close(name, headed)
        elif "loose" in front and draw() < 0.06:
            self._sentence(self._grammar.front(draw, "loose"))
        for name, statements in (("findings", body), ("impression", end)):
            if not statements:
                continue
            self._part(name, gap, headed)
            if name == "findings" and draw() < 0.06:
                self._by_organ(statements)
            elif self._listed and draw() < self._listed:
                self._bulleted(statements)
            elif name == "impression" and len(statements) > 1 and draw() < 0.4:
                self._numbered(statements)
            else:
                self._prose(statements)
            self._close(name, headed)

    def text(self) -> str:
        """The whole report; letters keep their offsets in every case."""
        text = "".join(self._pieces)
        if self._manner.case == "upper":
            text = text.upper()
        elif self._manner.case == "lower":
            text = text.lower()
        return _wrapped(text) if self._wrap else text

    def _part(self, name: str, gap: str, headed: bool) -> None:
        if self._length:
            self._put(gap)
        if headed:
            self._put(pick(self._draw, self._lexicon.headings[name]))
            self._put(pick(self._draw, (" ", " ", "\n")))
        self._start = self._length

    def _close(self, name: str, headed: bool) -> None:
        if headed:
            self.sections.append(Section(name, self._start, self._length))

    def _prose(self, statements: Sequence[Statement]) -> None:
        joined = False
        for at, statement in enumerate(statements):
            if not joined:
                self._space()
            self._clause(statement, capital=not joined)
            following = statements[at + 1].text if at + 1 < len(statements) else ""
            joined = bool(following) and self._draw() < self._joined
            if not joined:
                self._stop()
            elif following.startswith(SAFE_AFTER_AND):
                self._put(pick(self._draw, JOINS))
            else:
                self._put(pick(self._draw, BORDERS))

    def _numbered(self, statements: Sequence[Statement]) -> None:
        mark = pick(self._draw, ("{}. ", "{}. ", "{}) ", "({}) "))
        lines = self._draw() < 0.5
        for number, statement in enumerate(statements, 1):
            if number > 1:
                self._put("\n" if lines else " ")
            self._put(mark.format(number))
            self._clause(statement, capital=True)
            self._stop()

    def _bulleted(self, statements: Sequence[Statement]) -> None:
        mark = pick(self._draw, ("- ", "- ", "-", "* ", "• ", "– ", "-- "))
        for at, statement in enumerate(statements):
            self._put("\n" if at else "")
            self._put(mark)
            self._clause(statement, capital=self._draw() < 0.7)
            self._put(pick(self._draw, ("", "", ".", ";")))

    def _by_organ(self, statements: Sequence[Statement]) -> None:
        groups: dict[str, list[Statement]] = {}
        for statement in statements:
            groups.setdefault(statement.organ or "Other", []).append(statement)
        upper = self._draw() < 0.4
        for at, (organ, group) in enumerate(groups.items()):
            if at:
                self._put("\n")
            self._put(f"{organ.upper() if upper else organ}: ")
            self._prose(group)

    def _sentence(self, text: str) -> None:
        self._space()
        self._put(text[:1].upper() + text[1:])
        self._stop()

    def _clause(self, statement: Statement, *, capital: bool) -> None:
        start = self._length
        text = statement.text
        self._put(text[:1].upper() + text[1:] if capital else text)
        for name in statement.says:
            self.evidence.setdefault(name, []).append((start, self._length))
        self.clauses.append((start, self._length, statement.says))

    def _space(self) -> None:
        if self._pieces and self._pieces[-1][-1:] not in (" ", "\n"):
            self._put("" if self._manner.tight and self._draw() < 0.3 else " ")

    def _stop(self) -> None:
        if self._manner.stops < 1.0 and self._draw() > self._manner.stops:
            self._put("\n")
        else:
            self._put(".")

    def _put(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._length += len(text)


def _wrapped(text: str) -> str:
    """Lines of about 78 characters, made by turning spaces into line ends: same length."""
    letters = list(text)
    start = space = 0
    for at, letter in enumerate(letters):
        if letter == "\n":
            start = at + 1
        elif letter == " ":
            space = at
        if at - start >= WIDTH and space > start:
            letters[space] = "\n"
            start = space + 1
    return "".join(letters)
