"""The rules of a lexicon file; every breach is reported with its line and remedy.

The keys of a lexicon file, of each of its entries, and the slots of its frames.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from data_builders.synthetic.phrases import Phrase, compile_phrase
from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

TOP = (
    "label_set",
    "words",
    "frames",
    "observations",
    "joint",
    "asides",
    "absent_too",
    "other_exams",
    "summaries",
    "front",
    "headings",
    "profiles",
    "ways",
    "shared_ways",
    "voids",
    "strangers",
    "synonyms",
    "spellings",
    "short_forms",
    "maskable",
    "keep",
)
NEEDED = ("label_set", "frames", "observations", "summaries", "profiles")
FRAMES: dict[str, tuple[str, ...]] = {
    "positive": ("x", "ax", "is", "has"),
    "steady": ("x", "ax", "is", "has"),
    "evolving": ("x", "ax", "is", "has"),
    "pair": ("x", "y"),
    "uncertain": ("t", "x"),
    "negative": ("t",),
    "negative_list": ("or_list", "nor_list"),
    "resolved": ("t",),
    "double": ("t", "u"),
    "may_be": ("x", "ax", "is", "has", "or_list"),
    "due_to": ("x", "ax", "is", "has", "or_list"),
}
"""Frame kinds and the slots that the grammar fills in them."""
STRANGERS = ("usual", "abnormal")
OPTIONAL_FRAMES = ("may_be", "due_to")
SUMMARIES = ("normal", "no_acute", "otherwise")
OBSERVATION = (
    "organ",
    "rates",
    "terms",
    "found",
    "found_many",
    "countable",
    "evolves",
    "listed",
    "despite",
    "causes",
    "positive",
    "negative",
    "uncertain",
)
JOINT = ("says", "text")
WAY = ("kind", "says", "only", "evolves", "abnormal", "weight", "unless", "text")
ROLES = ("a", "b", "c", "d")
ROLE_SLOTS = ("", "_is", "_was", "_has", "_does", "_x", "_ax", "_xis", "_xhas")
"""Endings of the slots of a role: its bare term and verbs, then what is present and its verbs."""
EXAM = ("heading", "says", "abnormal", "text", "closing")
ASIDE = ("rate", "abnormal", "place", "organ", "unless", "text")
PLACES = ("findings", "impression", "both")
PROFILE = ("weight", "usual", "asides", "rates")


STATED = (Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN)


def derived(label_set: LabelSet) -> tuple[str, ...]:
    """Labels that follow from the others (``No Finding``): nothing is written for them."""
    return tuple(rule.label for rule in label_set.exclusive)


class Reader:
    """Checks one lexicon and hands out its compiled phrases."""

    def __init__(self, file: YamlFile, label_set: LabelSet) -> None:
        self.file = file
        self.label_set = label_set
        self.spoken = tuple(n for n in label_set.names if n not in derived(label_set))
        self.words: dict[str, tuple[Phrase, ...]] = {}

    def checked(self) -> dict[str, Any]:
        """The file's mapping.

        Raises:
            LabelSetError: the file breaks a rule; all breaches are listed.
        """
        file, value = self.file, self.file.value
        if not isinstance(value, dict):
            file.problem([], "a lexicon is a mapping; start with label_set: …")
            file.finish("not a lexicon")
        file.unknown_keys([], value, TOP)
        for key in NEEDED:
            if not value.get(key):
                file.problem([], f"{key!r} is missing; add it")
        if value.get("label_set") not in (None, self.label_set.name, self.label_set.kin):
            file.problem(
                ["label_set"],
                f"made for {value['label_set']!r}, not for {self.label_set.name!r}; "
                "give the lexicon of this label set",
            )
        self._tables(value)
        self._words(value.get("words"))
        needed = [kind for kind in FRAMES if kind not in OPTIONAL_FRAMES]
        self._named_lines("frames", value, tuple(FRAMES), FRAMES, needed=needed)
        self._named_lines("summaries", value, SUMMARIES, {}, needed=SUMMARIES)
        self._named_lines("front", value, None, {"indication": ("any",), "loose": ("any",)})
        self._observations(value.get("observations"))
        self._joint(value.get("joint"))
        self._asides(value.get("asides"))
        self._lines(["absent_too"], value.get("absent_too"), ())
        self._exams(value.get("other_exams"))
        self._ways(value.get("ways"))
        self._lines(["voids"], value.get("voids"), ())
        self._named_lines("strangers", value, STRANGERS, {})
        self._profiles(value.get("profiles"))
        file.finish("mistake in the lexicon")
        checked: dict[str, Any] = value
        return checked

    def lines_at(self, value: object) -> list[tuple[Phrase, frozenset[str]]]:
        """The compiled phrases of a checked list of lines."""
        out: list[tuple[Phrase, frozenset[str]]] = []
        for item in value if isinstance(value, list) else ():
            texts, unless = (item["text"], item["unless"]) if isinstance(item, dict) else (item, ())
            for text in [texts] if isinstance(texts, str) else texts:
                out.append((compile_phrase(text), frozenset(unless)))
        return out

    def rates_of(self, value: object) -> dict[Certainty, float]:
        """Rates of the certainties that are given."""
        given = value if isinstance(value, dict) else {}
        return {Certainty(name): float(rate) for name, rate in given.items()}

    def _tables(self, value: dict[str, Any]) -> None:
        for key in ("maskable", "keep"):
            for index, item in enumerate(self._list(value.get(key), [key])):
                if not isinstance(item, str):
                    self.file.problem([key, index], "must be text; quote it")
        for key in ("spellings", "short_forms"):
            for name, item in self._mapping(value.get(key), [key]).items():
                if not isinstance(item, str):
                    self.file.problem([key, str(name)], "must be text; quote it")
        for name, item in self._mapping(value.get("synonyms"), ["synonyms"]).items():
            others = self._list(item, ["synonyms", str(name)])
            if not others or not all(isinstance(other, str) for other in others):
                self.file.problem(["synonyms", str(name)], "must be a list of words; quote them")
        for name, item in self._mapping(value.get("headings"), ["headings"]).items():
            for index, text in enumerate(self._list(item, ["headings", str(name)])):
                if not isinstance(text, str):
                    self.file.problem(["headings", str(name), index], "must be text; quote it")

    def _words(self, value: object) -> None:
        table = self._mapping(value, ["words"])
        for name, items in table.items():
            path: list[Step] = ["words", str(name)]
            phrases = [
                self._phrase([*path, i], item, table)
                for i, item in enumerate(self._list(items, path))
            ]
            if not phrases:
                self.file.problem(path, "an empty word list; add a word or delete it")
            self.words[str(name)] = tuple(p for p in phrases if p is not None)
        self._cycles()

    def _cycles(self) -> None:
        uses = {n: set[str]().union(*(p.slots() for p in ps)) for n, ps in self.words.items()}
        for name in uses:
            reached, edge = set[str](), {name}
            while edge:
                edge = set[str]().union(*(uses.get(n, set()) for n in edge)) - reached
                reached |= edge
            if name in reached:
                self.file.problem(["words", name], "the list holds itself; break the circle")

    def _named_lines(
        self,
        key: str,
        value: dict[str, Any],
        allowed: tuple[str, ...] | None,
        slots: dict[str, tuple[str, ...]],
        needed: Iterable[str] = (),
    ) -> None:
        table = self._mapping(value.get(key), [key])
        if allowed is not None:
            self.file.unknown_keys([key], table, allowed)
        for name in needed:
            if table and name not in table:
                self.file.problem([key], f"{name!r} is missing; add it")
        for name, items in table.items():
            self._lines([key, str(name)], items, slots.get(str(name), ()))

    def _observations(self, value: object) -> None:
        table = self._mapping(value, ["observations"])
        for name, item in table.items():
            path: list[Step] = ["observations", str(name)]
            if not self._spoken(path, name):
                continue
            entry = self._mapping(item, path)
            self.file.unknown_keys(path, entry, OBSERVATION)
            self._rates([*path, "rates"], entry.get("rates"))
            for key in ("terms", "found", "found_many", "despite", *(c.value for c in STATED)):
                self._lines([*path, key], entry.get(key), ())
            for at, cause in enumerate(self._list(entry.get("causes"), [*path, "causes"])):
                self._spoken([*path, "causes", at], cause)
            stated = self.label_set.by_name[str(name)].certainties
            for certainty, ways in (
                (Certainty.POSITIVE, ("positive", "found", "found_many")),
                (Certainty.NEGATIVE, ("negative", "terms")),
                (Certainty.UNCERTAIN, ("uncertain", "terms")),
            ):
                if certainty in stated and not any(self._unconditional(entry, way) for way in ways):
                    self.file.problem(
                        path, f"no unconditional way to say {certainty}; add {' or '.join(ways)}"
                    )
        for name in self.spoken:
            if table and name not in table:
                self.file.problem(["observations"], f"{name!r} is missing; add it")

    def _joint(self, value: object) -> None:
        for index, item in enumerate(self._list(value, ["joint"])):
            path: list[Step] = ["joint", index]
            entry = self._mapping(item, path)
            self.file.unknown_keys(path, entry, JOINT)
            if not self._says([*path, "says"], entry.get("says")):
                self.file.problem(path, "'says' is missing; write says: {Observation: certainty}")
            if not self._lines([*path, "text"], entry.get("text"), ()):
                self.file.problem(path, "'text' is missing; add lines")

    def _exams(self, value: object) -> None:
        for index, item in enumerate(self._list(value, ["other_exams"])):
            path: list[Step] = ["other_exams", index]
            entry = self._mapping(item, path)
            self.file.unknown_keys(path, entry, EXAM)
            self._says([*path, "says"], entry.get("says"))
            for key in ("heading", "text", "closing"):
                if not self._lines([*path, key], entry.get(key), ()):
                    self.file.problem(path, f"{key!r} is missing; add lines")

    def _ways(self, value: object) -> None:
        for index, item in enumerate(self._list(value, ["ways"])):
            path: list[Step] = ["ways", index]
            entry = self._mapping(item, path)
            self.file.unknown_keys(path, entry, WAY)
            if not isinstance(entry.get("kind"), str):
                self.file.problem(path, "'kind' is missing; name the kind of wording")
            says = self._mapping(entry.get("says"), [*path, "says"])
            self.file.unknown_keys([*path, "says"], says, ROLES)
            if "a" not in says:
                self.file.problem(path, "'says' needs the role a; write says: {a: certainty}")
            known = [c.value for c in Certainty]
            for role, certainty in says.items():
                if certainty not in known:
                    self.file.problem(
                        [*path, "says", str(role)],
                        f"unknown certainty {certainty!r}; use one of: {', '.join(known)}",
                    )
            only = self._mapping(entry.get("only"), [*path, "only"])
            self.file.unknown_keys([*path, "only"], only, tuple(says))
            for role, names in only.items():
                for at, name in enumerate(self._list(names, [*path, "only", str(role)])):
                    self._spoken([*path, "only", str(role), at], name)
            for role in self._list(entry.get("evolves"), [*path, "evolves"]):
                if role not in says:
                    self.file.problem([*path, "evolves"], f"no role {role!r}; add it to 'says'")
            if not self._lines(
                [*path, "text"], entry.get("text"), [r + s for r in says for s in ROLE_SLOTS]
            ):
                self.file.problem(path, "'text' is missing; add lines")

    def _says(self, path: list[Step], value: object) -> int:
        says = self._mapping(value, path)
        for name, certainty in says.items():
            at = [*path, str(name)]
            if not self._spoken(at, name):
                continue
            allowed = [c for c in self.label_set.by_name[str(name)].certainties if c in STATED]
            if certainty not in allowed:
                self.file.problem(
                    at, f"unknown certainty {certainty!r}; use one of: {', '.join(allowed)}"
                )
        return len(says)

    def _asides(self, value: object) -> None:
        for index, item in enumerate(self._list(value, ["asides"])):
            path: list[Step] = ["asides", index]
            entry = self._mapping(item, path)
            self.file.unknown_keys(path, entry, ASIDE)
            self._number([*path, "rate"], entry.get("rate"), top=1.0)
            if entry.get("place", PLACES[0]) not in PLACES:
                self.file.problem(
                    [*path, "place"], f"unknown place; use one of: {', '.join(PLACES)}"
                )
            for at, name in enumerate(self._list(entry.get("unless"), [*path, "unless"])):
                self._spoken([*path, "unless", at], name)
            if not self._lines([*path, "text"], entry.get("text"), ()):
                self.file.problem(path, "'text' is missing; add lines")

    def _profiles(self, value: object) -> None:
        for name, item in self._mapping(value, ["profiles"]).items():
            path: list[Step] = ["profiles", str(name)]
            entry = self._mapping(item, path)
            self.file.unknown_keys(path, entry, PROFILE)
            self._number([*path, "weight"], entry.get("weight"), top=None)
            for key in ("usual", "asides"):
                if key in entry:
                    self._number([*path, key], entry[key], top=None)
            for label, rates in self._mapping(entry.get("rates"), [*path, "rates"]).items():
                if self._spoken([*path, "rates", str(label)], label):
                    self._rates([*path, "rates", str(label)], rates)

    def _rates(self, path: list[Step], value: object) -> None:
        rates = self._mapping(value, path)
        self.file.unknown_keys(path, rates, [c.value for c in STATED])
        total = sum(self._number([*path, str(k)], v, top=1.0) for k, v in rates.items())
        if total > 1.0 + 1e-9:
            self.file.problem(path, f"the rates add up to {total:g}; keep the sum at most 1")

    def _lines(self, path: list[Step], value: object, slots: Iterable[str]) -> int:
        items = self._list(value, path)
        for index, item in enumerate(items):
            at: list[Step] = [*path, index]
            if not isinstance(item, dict):
                self._phrase(at, item, self.words, slots)
                continue
            self.file.unknown_keys(at, item, ("text", "unless"))
            for key in ("text", "unless"):
                if not item.get(key):
                    self.file.problem(at, f"{key!r} is missing; add it or write the line as text")
            for i, name in enumerate(self._list(item.get("unless"), [*at, "unless"])):
                self._spoken([*at, "unless", i], name)
            texts = item.get("text")
            for text in texts if isinstance(texts, list) else [texts]:
                self._phrase([*at, "text"], text, self.words, slots)
        return len(items)

    def _phrase(
        self, path: list[Step], value: object, words: Iterable[str], slots: Iterable[str] = ()
    ) -> Phrase | None:
        if not isinstance(value, str):
            hint = "YAML reads yes, no, on, off and numbers as something else; quote it"
            self.file.problem(path, f"a phrase must be text, not {type(value).__name__}; {hint}")
            return None
        try:
            phrase = compile_phrase(value)
        except ValueError as error:
            self.file.problem(path, f"{error}; fix the brackets or braces")
            return None
        known = [*words, *slots]
        for name in sorted(phrase.slots()):
            if name not in known:
                self.file.problem(path, f"unknown slot {{{name}}}; {_near(name, known)}")
        return phrase

    def _unconditional(self, entry: dict[str, Any], key: str) -> bool:
        value = entry.get(key)
        return isinstance(value, list) and any(isinstance(item, str) for item in value)

    def _spoken(self, path: list[Step], name: object) -> bool:
        if name in self.spoken:
            return True
        if name in self.label_set.names:
            self.file.problem(path, f"{name!r} follows from the other labels; delete it here")
        else:
            hint = _near(str(name), list(self.spoken))
            self.file.problem(path, f"no observation {name!r} in {self.label_set.name}; {hint}")
        return False

    def _number(self, path: list[Step], value: object, *, top: float | None) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        if not good or (top is not None and float(str(value)) > top):
            limit = "" if top is None else f" and at most {top:g}"
            self.file.problem(path, f"must be a number, at least 0{limit}; fix it")
            return 0.0
        return float(str(value))

    def _mapping(self, value: object, path: list[Step]) -> dict[Any, Any]:
        if value is None or isinstance(value, dict):
            return value or {}
        self.file.problem(path, "must be a mapping; write 'name: …'")
        return {}

    def _list(self, value: object, path: list[Step]) -> list[Any]:
        if value is None or isinstance(value, list):
            return value or []
        self.file.problem(path, "must be a list; write '- …'")
        return []


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
