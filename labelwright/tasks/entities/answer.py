"""The entities task: its part of the prompt, answer lines, parser and grounding, in one place.

The answer has one line per mention in order of appearance, the type's key, a colon and the
mention as it stands in the text with white space evened out:

    Disease: ataxia telangiectasia
    Gene: ATM

Where the label set asks for certainties, the key is followed by one (``Disease negated: …``).
The parts of a discontinuous mention are joined by `` ... ``. A text without any mention is
answered by ``none``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import repeat

from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity, in_order
from labelwright.tasks.base import Chat, Parsed
from labelwright.text.grounding import GAP, Grounder, Mention

PROMPT_VERSION = "entities-1"
"""Changes whenever the prompt or :func:`render` of this task is written otherwise."""

NONE = "none"
ALMEIDA = "almeida"
"""Name of the prompt of a published benchmark (:func:`almeida`)."""
_AROUND = "\"'“”„«»`*_.,; "
"""What models like to write around a mention."""
_FENCE = re.compile(r"\A\s*```\w*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_TYPE_KEYS = ("type", "entity", "label", "entity_type")
_TEXT_KEYS = ("text", "mention", "span", "value")
MOST_LINES = 10_000
"""An answer of more lines is cut there; its problems say so."""


@lru_cache(maxsize=64)
def system_prompt(label_set: LabelSet) -> str:
    """The instruction with its placeholders filled, then the worked examples."""
    words = ", ".join(label_set.words.values())
    filled = label_set.instruction.replace("{labels}", listing(label_set))
    told = " ".join(filled.replace("{certainties}", words).split())
    shown = [
        f"Text: {' '.join(example.text.split())}\nAnswer:\n{render(label_set, example.entities)}"
        for example in label_set.examples
    ]
    return "\n\n".join([told, *shown])


def almeida(label_set: LabelSet, text: str) -> Chat:
    """A prompt after that of Almeida et al. (Portuguese clinical entities with few-shot models).

    Their request in other words: the entities in order of appearance, exact text, no paraphrase,
    no overlap, then the list of entities and examples as ``text → response``; the note is the
    user's turn. Responses have a line ``type: text`` per mention.
    """
    names = ", ".join(label.key for label in label_set.labels)
    told = (
        "Extract the following entities from the text, in order of appearance, one per line as "
        "entity: text. Copy the exact text, do not paraphrase, and let no two entities overlap. "
        f"If there are none, answer none. Entities: {names}."
    )
    shown = [
        f"Example:\n{' '.join(example.text.split())}\n→\n{render(label_set, example.entities)}"
        for example in label_set.examples
    ]
    return [
        {"role": "system", "content": "\n\n".join([told, *shown])},
        {"role": "user", "content": text},
    ]


@lru_cache(maxsize=64)
def listing(label_set: LabelSet) -> str:
    """The types for the instruction: key, name where it differs, description where there is one."""
    parts = []
    for label in label_set.labels:
        name = label.key if label.key == label.name else f"{label.key} ({label.name})"
        parts.append(f"{name}: {label.description.rstrip('.')}" if label.description else name)
    return "; ".join(parts)


def written(entity: Entity) -> str:
    """The mention as it stands in an answer: white space evened out, parts joined by a gap."""
    if len(entity.spans) < 2:
        return " ".join(entity.text.split())
    parts, at = [], 0
    for start, end in entity.spans:
        parts.append(" ".join(entity.text[at : at + end - start].split()))
        at += end - start + 1
    return GAP.join(parts)


def render(label_set: LabelSet, value: Iterable[Entity]) -> str:
    """The answer that names mentions; of equal lines at one place the label set's order decides.

    Raises:
        ValueError: a type is not in the label set, or a certainty is missing or not asked for.
    """
    lines = []
    for entity in in_order(value):
        label = label_set.by_name.get(entity.type)
        if label is None:
            raise ValueError(f"not in label set {label_set.name}: {entity.type}")
        head = label.key
        if label_set.words:
            if entity.certainty is None or entity.certainty not in label_set.words:
                raise ValueError(f"{entity.type} needs a certainty of label set {label_set.name}")
            head = f"{head} {label_set.words[entity.certainty]}"
        elif entity.certainty is not None:
            raise ValueError(f"label set {label_set.name} has no certainties")
        lines.append(f"{head}: {written(entity)}")
    return "\n".join(lines) or NONE


FORM = frozenset({"empty answer", "chatter", "unknown type", "empty mention", "no certainty"})


def faults(label_set: LabelSet, answer: str) -> tuple[str, ...]:
    """What of an answer's form :func:`render` does not write; whether a text holds it is not asked.

    A right answer can name a mention whose place cannot be found from it, e.g. the end of a word
    that stands alone elsewhere.
    """
    parsed = parse(label_set, answer, "", ended=True)
    wrong = [p for p in parsed.problems if p.partition(":")[0].partition(" (")[0] in FORM]
    return (*wrong, *parsed.notes)


def parse(
    label_set: LabelSet,
    answer: str,
    text: str,
    *,
    ended: bool | None = None,
    probs: Sequence[float] | None = None,
) -> Parsed[tuple[Entity, ...]]:
    """Read an answer and find its mentions in ``text``; nothing is dropped in silence.

    Mentions are placed in the order of the lines. Where some are out of order, as many as can be
    are placed in order, and the others, counted as ``order``, where there is a place.
    A line that names no known type is a problem, a mention that the text does not hold (or not
    so often) is an entity without spans. Of an answer that was cut off, the last line is left
    out, since it may be half a mention.

    The problems count, e.g. ``not in the text: Disease (2)``. Entities are given in order of
    appearance, those that the text does not hold last, as they were written.

    Args:
        answer: as generated, special tokens removed.
        ended: whether the model itself ended the answer; ``None`` (not known) reads as yes.
        probs: how sure the model was of each line of ``answer.split("\\n")``.
    """
    lines = list(_lines(answer, probs))
    problems: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    if ended is False or len(lines) > MOST_LINES:
        problems["cut off"] += 1
        lines = lines[: min(max(len(lines) - 1, 0), MOST_LINES)]
    said = [(line, prob) for line, prob in lines if line.casefold().rstrip(".") != NONE]
    if lines and not said:
        return Parsed(None if problems else (), tuple(problems))
    if len(said) < len(lines):
        notes[f"{NONE} beside mentions"] += len(lines) - len(said)
    if not lines and not problems:
        problems["empty answer"] += 1
    lined = [(_line(label_set, line, problems, notes), prob) for line, prob in said]
    known = [(entity, prob) for entity, prob in lined if entity is not None]
    grounder = Grounder(text, nesting=label_set.nesting)
    places = grounder.place_all([Mention(entity.type, _forms(entity.text)) for entity, _ in known])
    found: list[Entity] = []
    for (entity, prob), (spans, ordered) in zip(known, places, strict=True):
        if not spans:
            problems[f"not in the text: {entity.type}"] += 1
            found.append(replace(entity, prob=prob))
            continue
        if not ordered:
            notes["order"] += 1
        placed = Entity.of(text, entity.type, *spans, certainty=entity.certainty)
        if written(placed) != entity.text:
            notes["written otherwise"] += 1
        found.append(replace(placed, prob=prob))
    # An answer says something if it has a mention, or says that there is none.
    value = tuple(in_order(found)) if found or not problems else None
    return Parsed(value, _counted(problems), _counted(notes))


def _lines(answer: str, probs: Sequence[float] | None) -> Iterator[tuple[str, float | None]]:
    """The lines that are not empty, with their probabilities."""
    whole = answer.split("\n")
    for line, prob in zip(whole, repeat(None) if probs is None else probs, strict=False):
        yield from ((part.strip(), prob) for part in line.splitlines() if part.strip())


def _forms(mention: str) -> tuple[str, ...]:
    """A mention as it is written, and without what stands around it."""
    return tuple(dict.fromkeys((mention, mention.strip(_AROUND))))


def _counted(kinds: Counter[str]) -> tuple[str, ...]:
    return tuple(kind if count == 1 else f"{kind} ({count})" for kind, count in kinds.items())


def _line(
    label_set: LabelSet, line: str, problems: Counter[str], notes: Counter[str]
) -> Entity | None:
    """One line as an entity that is not placed yet; its certainty may be open."""
    head, colon, mention = line.partition(":")
    mention = " ".join(mention.split())
    if not colon:
        problems["chatter"] += 1
        return None
    plain = " ".join(head.split())
    name, certainty = _head(label_set, plain)
    if name is None:
        name, certainty = _head(label_set, plain.lstrip("-*•_`0123456789.) ").rstrip("*_` "))
    if name is None:
        problems["unknown type"] += 1
        return None
    if not mention:
        problems[f"empty mention: {name}"] += 1
        return None
    if label_set.words and certainty is None:
        problems[f"no certainty: {name}"] += 1
    exact = label_set.by_name[name].key
    if certainty is not None:
        exact = f"{exact} {label_set.words[certainty]}"
    if head != exact:
        notes["type written otherwise"] += 1
    return Entity(name, (), mention, certainty)


def _head(label_set: LabelSet, head: str) -> tuple[str | None, Certainty | None]:
    forms = label_set.name_forms
    name = forms.get(head.casefold())
    if name is not None or not label_set.words:
        return name, None
    front, _, last = head.rpartition(" ")
    certainty = label_set.word_forms.get(last.strip("()").casefold())
    return (forms.get(front.casefold()), certainty) if certainty is not None else (None, None)


def shifted(entity: Entity, by: int) -> Entity:
    """The same entity in a text that has ``by`` more characters in front."""
    return replace(entity, spans=tuple((start + by, end + by) for start, end in entity.spans))


def as_lines(answer: str) -> str:
    """An answer as lines ``type: text``: without a code fence; from JSON where it is some.

    Understood are ``{"type": ["mention", …], …}`` and lists of objects that have a type and a
    text, alone or as the only value of an object. Anything else stays as it is.
    """
    fenced = _FENCE.match(answer)
    bare = fenced[1] if fenced else answer
    if not bare.lstrip().startswith(("{", "[")):
        return bare
    try:
        value = json.loads(bare)
    except (ValueError, RecursionError):
        return bare
    pairs = _pairs(value)
    if pairs is None:
        return bare
    lines = [f"{kind}: {' '.join(mention.split())}" for kind, mention in pairs]
    return "\n".join(lines) or NONE


def _pairs(value: object) -> list[tuple[str, str]] | None:
    if isinstance(value, dict):
        only = next(iter(value.values())) if len(value) == 1 else None
        if isinstance(only, list) and only and all(isinstance(item, dict) for item in only):
            return _pairs(only)
        found = [
            (str(kind), mention)
            for kind, given in value.items()
            for mention in (given if isinstance(given, list) else [given])
            if mention is not None
        ]
        return found if all(isinstance(mention, str) for _, mention in found) else None
    if not isinstance(value, list):
        return None
    pairs = []
    for item in value:
        if not isinstance(item, dict):
            return None
        kind = next((item[key] for key in _TYPE_KEYS if isinstance(item.get(key), str)), None)
        mention = next((item[key] for key in _TEXT_KEYS if isinstance(item.get(key), str)), None)
        if kind is None or mention is None:
            return None
        pairs.append((kind, mention))
    return pairs
