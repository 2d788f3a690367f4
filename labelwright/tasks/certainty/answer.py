"""The certainty task: instruction, answer line, parser and choices, in one place.

The answer is one line, ``EC blank, CM positive, …, NF blank.``: every observation once, in
the label set's order, its key, a space, its certainty word; commas between, a full stop at
the end. With byte-level BPE vocabularies trained on English, each certainty word with its
leading space is one token, so a two-letter key costs about three tokens per observation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache

from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.base import Choices, Parsed, Slot

PROMPT_VERSION = "1"
"""Changes whenever the prompt or :func:`render` of this task is written otherwise."""

END = "."
Labels = Mapping[str, Certainty | None]
"""Certainty per observation, ``None`` where an answer does not determine it."""
_SPACES = re.compile(r"[^\S\n]+")
_ITEMS = re.compile(r"\s*(?:[,;]|\n)\s*")
_PARTS = re.compile(r"\s*(?:[,;.{}]|\n)\s*")
"""Between items behind the line's end: another line, or an object."""
_ITEM = re.compile(r"^(?P<form>.*?)(?P<gap>\s*[:=]\s*|\s+)(?P<word>\S+)$", re.DOTALL)


@lru_cache(maxsize=64)
def system_prompt(label_set: LabelSet) -> str:
    """The instruction with its placeholders filled; the same for every report."""
    listing = ", ".join(
        label.name if label.key == label.name else f"{label.key} {label.name}"
        for label in label_set.labels
    )
    words = ", ".join(label_set.words.values())
    filled = label_set.instruction.replace("{labels}", listing).replace("{certainties}", words)
    return " ".join(filled.split())


@lru_cache(maxsize=64)
def choices(label_set: LabelSet) -> Choices:
    """The answer line: a slot for each observation in order."""
    heads = {rule.label for rule in label_set.exclusive}
    whole = frozenset({str(Certainty.POSITIVE)})
    return Choices(
        tuple(
            Slot(
                label=label.name,
                key=label.key,
                prefix=label.key if index == 0 else f", {label.key}",
                options={c: f" {label_set.words[c]}" for c in label.certainties},
                silent=Certainty.BLANK if Certainty.BLANK in label.certainties else None,
                whole=whole if label.name in heads else frozenset(),
            )
            for index, label in enumerate(label_set.labels)
        ),
        END,
    )


def as_line(answer: str) -> str:
    """A JSON object as an answer line for the parser; anything else as it is.

    Keys and words stay what they are, repeated keys too: the parser decides what they mean.
    """
    if not answer.lstrip().startswith("{"):
        return answer
    try:
        pairs = json.loads(answer, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return answer
    if not all(isinstance(word, str) for _, word in pairs):
        return answer
    return ", ".join(f"{key} {word}" for key, word in pairs) + END


def render(label_set: LabelSet, labels: Mapping[str, Certainty]) -> str:
    """The answer line for ``labels``; observations not in it are blank.

    Raises:
        ValueError: an unknown observation, or a certainty that its observation cannot take.
    """
    unknown = set(labels) - set(label_set.names)
    if unknown:
        raise ValueError(f"not in label set {label_set.name}: {', '.join(sorted(unknown))}")
    parts = []
    for slot in choices(label_set).slots:
        certainty = labels.get(slot.label, Certainty.BLANK)
        if certainty not in slot.options:
            raise ValueError(f"{slot.label} cannot be {certainty.value} in {label_set.name}")
        parts.append(slot.prefix + slot.options[certainty])
    return "".join(parts) + END


def parse(label_set: LabelSet, text: str, *, ended: bool | None = None) -> Parsed[Labels]:
    """Read an answer; nothing is guessed in silence.

    Args:
        text: the answer as generated, special tokens removed.
        ended: whether the model itself ended the answer (EOS); ``None`` if not known, then
            the full stop decides.
    """
    reader = _Reader(label_set)
    body, stop, tail = text.strip().partition(END)
    cut = ended is False or (not stop and ended is None)
    # Runs of spaces become one: the patterns below would try every part of a long run.
    items = _ITEMS.split(_SPACES.sub(" ", body))
    if len(items) > 1 and not items[-1].strip():
        items.pop()
    for index, item in enumerate(items):
        reader.item(item, first=index == 0, cut=cut and not stop and index == len(items) - 1)
    if tail.strip():
        reader.problems.append("chatter")
        for item in _PARTS.split(_SPACES.sub(" ", tail)):
            reader.again(item)
    if cut:
        reader.problems.append("cut off")
    elif not stop:
        reader.notes.append("no full stop")
    return reader.finish(body + stop)


class _Reader:
    def __init__(self, label_set: LabelSet) -> None:
        self.label_set = label_set
        self.found: dict[str, Certainty | None] = {}
        self.problems: list[str] = []
        self.notes: list[str] = []

    def item(self, item: str, *, first: bool, cut: bool) -> None:
        match = _ITEM.match(item.strip())
        if match is None:
            self.problems.append("chatter" if item.strip() else "empty item")
            return
        name = self._label(match["form"], first=first)
        word = match["word"]
        certainty = self.label_set.word_forms.get(word.casefold())
        if name is None:
            self.problems.append("chatter" if certainty is None else "unknown observation")
            return
        if certainty is not None and cut and self._could_grow(word):
            certainty = None
        if certainty is None:
            self.problems.append(f"unknown certainty: {name}")
        elif certainty not in self.label_set.by_name[name].certainties:
            self.problems.append(f"forbidden certainty: {name}")
            certainty = None
        elif word != self.label_set.words[certainty]:
            same = word.casefold() == self.label_set.words[certainty].casefold()
            self._note("case" if same else "word", name)
        if name in self.found:
            self.problems.append(f"repeated: {name}")
            if self.found[name] is not certainty:
                certainty = None
        self.found[name] = certainty

    def again(self, item: str) -> None:
        """An item behind the answer line: a further answer leaves open what it says otherwise.

        Only a name and a word of the label set count, since sentences stand there too.
        """
        match = _ITEM.match(item.replace('"', "").strip())
        name = match and self.label_set.name_forms.get(" ".join(match["form"].split()).casefold())
        if not match or name is None or name not in self.found:
            return
        certainty = self.label_set.word_forms.get(match["word"].casefold())
        if certainty is None:
            return
        self.problems.append(f"repeated: {name}")
        if self.found[name] is not certainty:
            self.found[name] = None

    def finish(self, written: str) -> Parsed[Labels]:
        names = self.label_set.names
        self.problems += [f"missing: {name}" for name in names if name not in self.found]
        order = [name for name in names if name in self.found]
        if list(self.found) != order:
            self.notes.append("order")
        labels = {name: self.found.get(name) for name in names}
        self.problems += [
            f"contradiction: {name} / {other}"
            for name, other in self.label_set.contradictions(labels)
        ]
        if not self.problems and not self.notes:
            known = {name: value for name, value in labels.items() if value is not None}
            if written != render(self.label_set, known):
                self.notes.append("spacing")
        return Parsed(labels, tuple(dict.fromkeys(self.problems)), tuple(dict.fromkeys(self.notes)))

    def _label(self, form: str, *, first: bool) -> str | None:
        forms = self.label_set.name_forms
        plain = " ".join(form.split())
        name = forms.get(plain.casefold())
        if name is None and first:
            tail = plain.casefold()
            known = [f for f in forms if re.search(rf"(?<!\w){re.escape(f)}$", tail)]
            if known:
                self.problems.append("chatter")
                return forms[max(known, key=len)]
        if name is not None and plain != self.label_set.by_name[name].key:
            same = plain.casefold() == self.label_set.by_name[name].key.casefold()
            self._note("case" if same else "synonym", name)
        return name

    def _note(self, kind: str, name: str) -> None:
        self.notes.append(f"{kind}: {name}")

    def _could_grow(self, word: str) -> bool:
        folded = word.casefold()
        return any(w != folded and w.startswith(folded) for w in self.label_set.word_forms)
