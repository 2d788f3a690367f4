"""One-pass decoding: all slots asked side by side, in the same pass that reads the report.

Every slot is a branch that sees the prompt and itself, so its probabilities are those it would have
alone. Branches cannot see each other; the label set's rules are applied afterwards
(:meth:`labelwright.tasks.base.TaskKind.choose`), and the answer's notes name what gave way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.decode.decoder import DecodeOptions
from inference.decode.evidence import Evidence, Spans
from inference.decode.evidence_views import Read
from inference.decode.pack_plan import Memory, Segment
from inference.decode.packed_reader import PromptReader
from inference.load import Loaded
from inference.prompts import Prompt
from labelwright.records import Answer


class OnePass:
    """Reads each prompt once and scores every slot."""

    def __init__(self, loaded: Loaded, options: DecodeOptions) -> None:
        self.reader = PromptReader(loaded, options)
        self.tree = self.reader.answers.tree
        self.evidence = Evidence.chosen(self.reader, options, branches=True)
        self._visible = np.array(self.tree.visible(), dtype=bool)
        self._depths = np.array(self.tree.depths)
        self._nodes = np.array([decision.node for decision in self.tree.decisions])

    @property
    def room(self) -> int:
        """The longest branch."""
        return max(self.tree.depths) + 1

    def describe(self) -> Mapping[str, Any]:
        """For the manifest."""
        return {"mode": "one-pass", "label_rules": "likeliest labels that obey"}

    def decode(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """Picks and probabilities; every answer is complete."""
        results = self.reader(prompts, self._read, extra=len(self.tree.tokens))
        return [
            self._answer(probs, prompt.notes, seconds, evidence)
            for prompt, ((probs, evidence), seconds) in zip(prompts, results, strict=True)
        ]

    def _read(
        self, memory: Memory, prompts: Sequence[Prompt]
    ) -> list[tuple[np.ndarray, Spans | None]]:
        """Per prompt the probabilities ``[slots, options]`` and the evidence."""

        segments = [self.segment(prompt) for prompt in prompts]
        base = memory.size
        hidden = self.reader.engine.run(memory, segments, keep=self.evidence is not None)
        probs = list(self.reader.scores.all_probs(self.reader.head(hidden)))
        if self.evidence is None:
            return [(row, None) for row in probs]
        reads = []
        for prompt, segment, row in zip(prompts, segments, probs, strict=True):
            new = len(prompt.tokens) - len(segment.past)
            at = np.concatenate([segment.past, np.arange(base, base + new)])
            reads.append(Read(prompt, at, self.reader.chosen(row)[0]))
            base += len(segment.tokens)
        return list(zip(probs, self.evidence.find(memory, reads), strict=True))

    def _answer(
        self, probs: np.ndarray, notes: tuple[str, ...], seconds: float, evidence: Spans | None
    ) -> Answer:
        """The likeliest picks that obey the label set's rules."""
        picks, changed = self.reader.chosen(probs)
        return Answer(
            value=self.reader.kind.picked(self.reader.loaded.label_set, picks),
            raw=self.reader.choices.line(picks),
            notes=(*notes, *(f"rule: {name}" for name in changed)),
            seconds=seconds,
            probs=self.reader.scores.by_name(probs),
            evidence=evidence,
        )

    def segment(self, prompt: Prompt) -> Segment:
        """What is new of the prompt, and all branches behind it."""
        start, size = self.reader.start(prompt), len(prompt.tokens)
        new, extra = size - start, len(self.tree.tokens)
        visible = np.zeros((new + extra, new + extra), dtype=bool)
        visible[:new, :new] = np.tri(new, dtype=bool)
        visible[new:, :new] = True
        visible[new:, new:] = self._visible
        return Segment(
            tokens=[*prompt.tokens[start:], *self.tree.tokens],
            positions=[*range(start, size), *(size + self._depths)],
            past=self.reader.past(prompt),
            wanted=new + self._nodes,
            visible=visible,
        )
