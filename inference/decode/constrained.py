"""Constrained decoding: exactly the greedy answer among the valid ones, in a few passes.

Every slot of the answer line stands between fixed text. A draft of the whole line is
read behind the prompt in one pass; each slot is then replaced by its likeliest option given the
slots before it in the draft, and so on until nothing changes (Jacobi iteration: Santilli et al.
2023, doi:10.18653/v1/2023.acl-long.689). A slot whose predecessors are final is final itself, so
every pass settles at least one, and the fixed point is the answer that slot after slot would
give. What is settled is remembered and not read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inference.decode.decoder import DecodeOptions
from inference.decode.evidence import Evidence, Spans
from inference.decode.evidence_views import Read
from inference.decode.one_pass import OnePass
from inference.decode.pack_plan import Memory, Segment
from inference.decode.packed_reader import PromptReader
from inference.load import Loaded
from inference.prompts import Prompt
from labelwright.records import Answer
from labelwright.tasks.choices import BRANCHES, SlotTokens


@dataclass(frozen=True, slots=True)
class _Due:
    """A decision on the line's token number ``token``; the draft holds its option ``pick``.

    ``decision`` is its number among those of the tree.
    """

    token: int
    slot: int
    decision: int
    pick: int


@dataclass
class _Line:
    """One report's answer line while it is being settled.

    Attributes:
        past: indices in memory of the prompt and of the line as far as it is settled.
        start: tokens of the prompt.
        draft: the present guess.
        settled: tokens of the line that are final and remembered; the decision on the next one
            is final too.
        logs: ``[decisions, most tokens]``, the log-probabilities seen last.
        seen: the decisions of which there are any.
        passes: over the line so far.
    """

    past: np.ndarray
    start: int
    draft: dict[str, str]
    logs: np.ndarray
    seen: set[int] = field(default_factory=set)
    settled: int = 0
    passes: int = 0
    done: bool = False
    evidence: Spans | None = None


class Constrained:
    """Settles answer lines by parallel fixed-point iteration."""

    def __init__(self, loaded: Loaded, options: DecodeOptions) -> None:
        both = loaded.task is not None and BRANCHES in loaded.task.layouts
        self._branches = OnePass(loaded, options) if both else None
        self.reader = self._branches.reader if self._branches else PromptReader(loaded, options)
        self._evidence = Evidence.chosen(self.reader, options, branches=both)
        self._slots = self.reader.answers.slots
        self._starts = self.reader.scores.starts
        self._usual = {slot.label: Counter[str]() for slot in self._slots}
        self.passes: Counter[int] = Counter()
        """How many lines took how many passes over the line."""

    @property
    def room(self) -> int:
        """The longest answer line."""
        longest = (len(s.prefix) + max(map(len, s.options.values())) for s in self._slots)
        return sum(longest) + len(self.reader.answers.end)

    def describe(self) -> Mapping[str, Any]:
        """For the manifest."""
        return {"mode": "constrained", "strategy": "greedy among the valid answers"}

    def decode(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """Picks, and their probabilities given the slots before them in the line."""
        results = self.reader(prompts, self._read, extra=self.room)
        for line, _ in results:
            self.passes[line.passes] += 1
            for name, option in line.draft.items():
                self._usual[name][option] += 1
        return [
            self._answer(line, prompt.notes, seconds)
            for prompt, (line, seconds) in zip(prompts, results, strict=True)
        ]

    def _read(self, memory: Memory, prompts: Sequence[Prompt]) -> list[_Line]:

        lines = self._begin(memory, prompts)
        while unfinished := [line for line in lines if not line.done]:
            plans = [self._plan(line) for line in unfinished]
            base = memory.size
            segments = [segment for segment, _ in plans]
            hidden = self.reader.engine.run(memory, segments, keep=True)
            decisions = [item.decision for _, due in plans for item in due]
            logs = self.reader.scores.logs(self.reader.head(hidden), decisions)
            start = 0
            for line, (segment, due) in zip(unfinished, plans, strict=True):
                self._advance(line, due, logs[start : start + len(due)], base)
                base += len(segment.tokens)
                start += len(due)
        if self._evidence is not None:
            reads = [
                Read(prompt, line.past[: line.start], line.draft)
                for prompt, line in zip(prompts, lines, strict=True)
            ]
            for line, spans in zip(lines, self._evidence.find(memory, reads), strict=True):
                line.evidence = spans
        return lines

    def _begin(self, memory: Memory, prompts: Sequence[Prompt]) -> list[_Line]:
        """Read the prompts; the draft is what the branches say, or what is answered mostly."""

        branches, base, scores = self._branches, memory.size, self.reader.scores
        segments = [self._prompt(p) if branches is None else branches.segment(p) for p in prompts]
        extra = 0 if branches is None else len(branches.tree.tokens)
        hidden = self.reader.engine.run(memory, segments, keep=True)
        asked: Sequence[np.ndarray | None] = [None] * len(prompts)
        if branches is not None:
            asked = list(scores.all_probs(self.reader.head(hidden)))
        lines = []
        for prompt, segment, probs in zip(prompts, segments, asked, strict=True):
            new = len(segment.tokens) - extra
            past = np.concatenate([segment.past, np.arange(base, base + new)])
            if probs is None:
                draft = self._usual_picks()
            else:
                draft, _ = self.reader.chosen(probs)
            lines.append(_Line(past, len(prompt.tokens), draft, scores.even()))
            base += len(segment.tokens)
        return lines

    def _prompt(self, prompt: Prompt) -> Segment:
        start = self.reader.start(prompt)
        places = range(start, len(prompt.tokens))
        return Segment(prompt.tokens[start:], places, self.reader.past(prompt), [])

    def _usual_picks(self) -> dict[str, str]:
        draft = {}
        for slot in self._slots:
            # What was answered before must not even decide in how many passes a line is read.
            alone = self.reader.options.deterministic
            counts = None if alone else self._usual[slot.label]
            first = next(iter(slot.options)) if slot.silent is None else slot.silent
            draft[slot.label] = counts.most_common(1)[0][0] if counts else first
        return draft

    def _plan(self, line: _Line) -> tuple[Segment, list[_Due]]:
        """The draft's tokens that are not settled, up to the last decision on them."""
        tokens = self.reader.answers.line(line.draft)
        due = [item for item in self._decisions(line.draft) if item.token > line.settled]
        last = max(item.token for item in due)
        new = tokens[line.settled : last]
        segment = Segment(
            tokens=new,
            positions=range(line.start + line.settled, line.start + last),
            past=line.past,
            wanted=[item.token - 1 - line.settled for item in due],
        )
        return segment, due

    def _decisions(self, draft: Mapping[str, str]) -> list[_Due]:
        found = []
        offset = 0
        for index, slot in enumerate(self._slots):
            offset += len(slot.prefix)
            for choice, pick in slot.paths[draft[slot.label]]:
                token = offset + len(slot.choices[choice].after)
                found.append(_Due(token, index, self._starts[index] + choice, pick))
            offset += self.reader.answers.plain_length(index, draft[slot.label])
        return found

    def _advance(self, line: _Line, due: list[_Due], logs: np.ndarray, base: int) -> None:
        """Take in what one pass said; ``base`` is the index of its first token in memory."""
        line.passes += 1
        numbers = [item.decision for item in due]
        line.logs[numbers] = logs
        line.seen.update(numbers)
        best = logs.argmax(axis=1).tolist()
        wrong = next((d for d, pick in zip(due, best, strict=True) if pick != d.pick), None)
        if wrong is None:
            line.done = True
            return
        fresh = np.arange(base, base + wrong.token - line.settled)
        line.past = np.concatenate([line.past, fresh])
        line.settled = wrong.token
        for index in range(wrong.slot, len(self._slots)):
            slot = self._slots[index]
            line.draft[slot.label] = self._greedy(index, slot, line)
        line.done = all(item.token <= line.settled for item in self._decisions(line.draft))

    def _greedy(self, index: int, slot: SlotTokens, line: _Line) -> str:
        """The option that the decisions seen so far lead to; the draft's own where they end."""
        left = dict(slot.options)
        for number, choice in enumerate(slot.choices):
            size = len(choice.after)
            if not any(tokens[:size] == choice.after for tokens in left.values()):
                continue
            decision = self._starts[index] + number
            if decision not in line.seen:
                break
            path = (*choice.after, choice.tokens[int(line.logs[decision].argmax())])
            left = {c: t for c, t in left.items() if t[: size + 1] == path}
        draft = line.draft[slot.label]
        return draft if draft in left else next(iter(left))

    def _answer(self, line: _Line, notes: tuple[str, ...], seconds: float) -> Answer:
        kind, label_set = self.reader.kind, self.reader.loaded.label_set
        raw = self.reader.choices.line(line.draft)
        scores = self.reader.scores
        # Off the answer's own path nothing was asked, or only of a draft given up since.
        own = [item.decision for item in self._decisions(line.draft)]
        logs = scores.even()
        logs[own] = line.logs[own]
        probs = scores.probs(logs[None])[0]
        parsed = kind.parse(label_set, raw, "", ended=True)
        return Answer(
            value=kind.picked(label_set, line.draft),
            raw=raw,
            problems=parsed.problems,
            notes=notes,
            seconds=seconds,
            probs=scores.by_name(probs),
            evidence=line.evidence,
        )
