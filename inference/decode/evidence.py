"""Evidence: which sentences of a report carry a label, asked of the model itself.

The labels that are not blank are asked again about one sentence at a time, on top of what the
model has read already (:mod:`inference.decode.evidence_views`). Showing a sentence alone finds
those that suffice for the label, however often it is said; hiding it, those without which it is
lost (sufficiency and comprehensiveness: DeYoung et al. 2020, doi:10.18653/v1/2020.acl-main.408).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from inference.decode.decoder import DecodeOptions
from inference.decode.evidence_views import VIEWS, AskedReport, Questions, Read, segment
from inference.decode.pack_plan import Memory, Segment
from inference.decode.packed_reader import PromptReader
from inference.load import Loaded
from inference.prompts import PLACEHOLDER, Located, Sentence, prompt_text
from labelwright.errors import CheckpointError
from labelwright.text.sections import split_sections
from labelwright.text.sentences import sentence_spans
from labelwright.text.special_tokens import break_up, spelled_out

SAID = 0.5
"""A sentence speaks of an observation if, asked of it alone, blank is less likely than this."""
CARRIES = 0.1
"""It carries the label if this certainty has at least this probability; a sentence of several
that say the same, in weaker words, does not count less for it."""
LOST = 0.5
"""Share of a label's probability whose loss makes the hidden sentence its evidence."""
KEYS_PER_TOKEN = 32
"""Keys that one pass may look up, per token of the pack; bounds its memory."""

Spans = dict[str, list[list[int]]]
Weights = dict[str, np.ndarray]


class Evidence:
    """Finds the evidence of reports that have just been read.

    Args:
        way: a name of :data:`VIEWS`.
        branches: whether the model answers observations asked one by one; else its answer
            line is asked again.
    """

    def __init__(self, reader: PromptReader, way: str, *, branches: bool) -> None:
        self._reader = reader
        self._view = VIEWS[way]
        self.branches = branches
        self._slots = {slot.label: i for i, slot in enumerate(reader.answers.slots)}
        self._some_branches = lru_cache(maxsize=4096)(self._ask_branches)

    @classmethod
    def chosen(
        cls, reader: PromptReader, options: DecodeOptions, *, branches: bool
    ) -> Evidence | None:
        """What the options ask for; ``None`` if for labels alone."""
        return cls(reader, options.evidence, branches=branches) if options.evidence else None

    def find(self, memory: Memory, reports: Sequence[Read]) -> list[Spans]:
        """Per report the evidence of its labels, sentences in order of the text."""
        return [
            self.select(report, weights)
            for report, weights in zip(reports, self.weights(memory, reports), strict=True)
        ]

    def weights(self, memory: Memory, reports: Sequence[Read]) -> list[Weights]:
        """Per report and label what each sentence weighs, from 0 to 1."""
        asked = [self._asked(report) for report in reports]
        views = [
            view
            for report, names in zip(reports, asked, strict=True)
            if names and len(report.sentences) > 1
            for view in self._views(report, names)
        ]
        probs = iter(self._probs(memory, views))
        found: list[Weights] = []
        for report, names in zip(reports, asked, strict=True):
            if len(report.sentences) < 2:
                found.append({name: np.ones(len(report.sentences)) for name in names})
                continue
            whole = next(probs) if names and self._view.without else None
            rows = np.array([next(probs) for _ in report.sentences if names])
            found.append({name: self._weigh(report, name, rows, whole) for name in names})
        return found

    def select(self, report: Read, weights: Weights) -> Spans:
        """The sentences that weigh enough; a label without any is left out."""
        found = {}
        for name, row in weights.items():
            chosen = [
                [sentence.start, sentence.end]
                for sentence, weight in zip(report.sentences, row.tolist(), strict=True)
                if weight >= self._enough(name)
            ]
            if chosen:
                found[name] = chosen
        return found

    def _enough(self, name: str) -> float:
        if self._view.without:
            return LOST
        slot = self._reader.answers.slots[self._slots[name]]
        return SAID if slot.silent is None else CARRIES

    def _views(self, report: Read, names: tuple[str, ...]) -> list[AskedReport]:
        """What is asked about a report; if sentences are hidden, first with none hidden.

        Views that remember all share a segment, as many as fit into a pass.
        """
        located = report.prompt.located
        if located is None:
            return []
        shown = located.sentences
        if self._view.without:
            shown = (Sentence(0, 0, located.tail, located.tail), *shown)
        questions = self._questions(report, names)
        most = 1
        if self._view.anew is None:
            most = max(self._reader.budget // len(questions.tokens), 1)
        return [
            AskedReport(report, located, shown[start : start + most], questions)
            for start in range(0, len(shown), most)
        ]

    def _asked(self, report: Read) -> tuple[str, ...]:
        """The slots whose pick a sentence can carry: neither silent, nor said by the whole only."""
        return tuple(
            slot.label
            for slot in self._reader.answers.slots
            if report.picks[slot.label] not in (slot.silent, *slot.whole)
        )

    def _weigh(
        self, report: Read, name: str, rows: np.ndarray, whole: np.ndarray | None
    ) -> np.ndarray:
        """What each sentence weighs for a label.

        Args:
            rows: probabilities ``[sentences, slots, options]``.
            whole: those with no sentence hidden, where sentences are hidden.
        """
        slot = self._slots[name]
        told = self._reader.answers.slots[slot]
        options = list(told.options)
        label = options.index(report.picks[name])
        weights: np.ndarray = rows[:, slot, label]
        if whole is not None:
            weights = np.clip(1 - weights / max(float(whole[slot, label]), 1e-12), 0, 1)
        elif told.silent is not None:
            silent = rows[:, slot, options.index(told.silent)] > 1 - SAID
            weights = np.where(silent, 0.0, weights)
        return weights

    def _probs(self, memory: Memory, wanted: Sequence[AskedReport]) -> list[np.ndarray]:
        """Per view the probabilities ``[slots, options]``; even where not asked."""

        scores = self._reader.scores
        found: list[np.ndarray] = []
        segments = [segment(self._view, item) for item in wanted]
        for start, end in self._passes(segments):
            hidden = self._reader.engine.run(memory, segments[start:end], keep=False)
            decisions = [
                item.questions.decisions for item in wanted[start:end] for _ in item.sentences
            ]
            logs = scores.logs(self._reader.head(hidden), np.concatenate(decisions))
            rows = np.tile(scores.even(), (len(decisions), 1, 1))
            owner = np.repeat(np.arange(len(decisions)), [len(numbers) for numbers in decisions])
            rows[owner, np.concatenate(decisions)] = logs
            found += list(scores.probs(rows))
        return found

    def _passes(self, segments: Sequence[Segment]) -> list[tuple[int, int]]:
        """Cut into passes that hold as many tokens and keys as memory allows."""
        budget = self._reader.budget
        cuts = []
        start = tokens = longest = 0
        for index, part in enumerate(segments):
            tokens += len(part.tokens)
            longest = max(longest, len(part.tokens) + len(part.past))
            rows = index - start + 1
            if index > start and (tokens > budget or rows * longest > KEYS_PER_TOKEN * budget):
                cuts.append((start, index))
                start, tokens = index, len(part.tokens)
                longest = len(part.tokens) + len(part.past)
        if segments:
            cuts.append((start, len(segments)))
        return cuts

    def _questions(self, report: Read, names: tuple[str, ...]) -> Questions:
        return self._some_branches(names) if self.branches else self._ask_line(report, names)

    def _ask_branches(self, names: tuple[str, ...]) -> Questions:
        answers = self._reader.answers
        places = [self._slots[name] for name in names]
        tree = replace(answers, slots=tuple(answers.slots[place] for place in places)).tree
        starts = self._reader.scores.starts
        return Questions(
            tokens=tree.tokens,
            depths=np.array(tree.depths),
            visible=np.array(tree.visible(), dtype=bool),
            nodes=np.array([decision.node for decision in tree.decisions]),
            decisions=np.array(
                [
                    starts[place] + number
                    for place in places
                    for number in range(len(answers.slots[place].choices))
                ]
            ),
        )

    def _ask_line(self, report: Read, names: tuple[str, ...]) -> Questions:
        """The whole answer line as it was given, up to the last decision that is asked."""
        answers, starts = self._reader.answers, self._reader.scores.starts
        nodes, decisions = [], []
        offset = 0
        for index, slot in enumerate(answers.slots):
            offset += len(slot.prefix)
            if slot.label in names:
                for choice, _ in slot.paths[report.picks[slot.label]]:
                    nodes.append(offset + len(slot.choices[choice].after) - 1)
                    decisions.append(starts[index] + choice)
            offset += answers.plain_length(index, report.picks[slot.label])
        tokens = tuple(answers.line(report.picks)[: nodes[-1] + 1])
        return Questions(
            tokens=tokens,
            depths=np.arange(len(tokens)),
            visible=np.tri(len(tokens), dtype=bool),
            nodes=np.array(nodes),
            decisions=np.array(decisions),
        )


PROBE = f" {PLACEHOLDER}. {PLACEHOLDER}! "
"""Shows where a template puts the report, and that it leaves it as it is."""


class Locator:
    """Finds the sentences of reports in their prompts.

    Raises:
        CheckpointError: the tokenizer does not tell which characters a token stands for, or the
            chat template changes the report.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._tokenizer = loaded.tokenizer
        known = loaded.tokenizer.added_tokens_decoder.values()
        self._special = spelled_out([*map(str, known), *loaded.tokenizer.all_special_tokens])
        if not loaded.tokenizer.is_fast:
            raise CheckpointError(
                "the tokenizer does not say which characters its tokens stand for",
                remedy="label without --evidence",
                source=loaded.name,
            )
        rendered = prompt_text(loaded, PROBE)
        body = next((b for b in (PROBE, PROBE.strip()) if rendered.count(b) == 1), None)
        if body is None:
            raise CheckpointError(
                "the chat template changes the report, so sentences cannot be found in it",
                remedy="label without --evidence",
                source=loaded.name,
            )
        self._stripped = body != PROBE
        self._head, self._tail = rendered.split(body)
        self._head_tokens = self._encoded(self._head)[0]
        self._tail_tokens = self._encoded(self._tail)[0]

    def __call__(self, text: str, tokens: tuple[int, ...], *, at: int = 0) -> Located | None:
        """The sentences of the text whose prompt has these tokens.

        Args:
            at: where the text begins in the report.

        Returns:
            ``None`` if the tokens are of another text.
        """
        safe = break_up(self._special, text)
        skipped = len(safe) - len(safe.lstrip()) if self._stripped else 0
        body = safe.strip() if self._stripped else safe
        parts = self._parts(body, tokens)
        if parts is None:
            return None
        head, tail, ends = parts
        bodies = [section.start for section in split_sections(text)]
        # A special token that was broken up has one character more in the prompt, its space.
        spaces = [match.start() + 1 for match in self._special.finditer(text)]
        spans = sentence_spans(text)
        firsts = [head]
        for start, _ in spans[1:]:
            place = start + bisect_left(spaces, start + 1) - skipped
            first = next((i for i in range(firsts[-1], tail) if ends[i - head] > place), tail)
            firsts.append(first)
        return Located(
            head,
            tail,
            tuple(
                Sentence(at + _behind(bodies, start, end), at + end, first, last)
                for (start, end), first, last in zip(
                    spans, firsts, [*firsts[1:], tail], strict=True
                )
            ),
        )

    def _parts(self, body: str, tokens: tuple[int, ...]) -> tuple[int, int, list[int]] | None:
        """Where the report begins and ends in the prompt, and the ends of its tokens in it."""
        ids, offsets = self._encoded(body)
        if (*self._head_tokens, *ids, *self._tail_tokens) == tokens:
            head = len(self._head_tokens)
            return head, head + len(ids), [end for _, end in offsets]
        # The report's first or last characters make a token with those around them.
        ids, offsets = self._encoded(self._head + body + self._tail)
        if ids != tokens:
            return None
        begin, after = len(self._head), len(self._head) + len(body)
        head = next((i for i, (_, end) in enumerate(offsets) if end > begin), len(tokens))
        tail = next((i for i in range(head, len(tokens)) if offsets[i][0] >= after), len(tokens))
        return head, tail, [end - begin for _, end in offsets[head:tail]]

    def _encoded(self, text: str) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
        """Tokens of a text and the characters that they stand for."""
        found = self._tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return tuple(found["input_ids"]), found["offset_mapping"]


def _behind(bodies: Sequence[int], start: int, end: int) -> int:
    """Where a sentence itself begins: behind the heading that stands before it, if any."""
    return max((body for body in bodies if start < body < end), default=start)
