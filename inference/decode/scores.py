"""From logits to the probabilities of the options, for all slots of many reports at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from labelwright.chances import MILLION, Chances, layout_of
from labelwright.errors import CheckpointError
from labelwright.tasks.choices import AnswerTokens

Probs = dict[str, dict[str, float]]


class Scores:
    """The decisions of a line of choices as index tables.

    Args:
        place: the column of each option token in the logits.

    Attributes:
        starts: the first decision of every slot; its choices follow each other.
    """

    def __init__(self, answers: AnswerTokens, place: Mapping[int, int]) -> None:
        decisions = answers.tree.decisions
        self.starts = answers.tree.starts
        width = max(len(decision.tokens) for decision in decisions)
        self._columns = np.zeros((len(decisions), width), dtype=np.int64)
        self._closed = np.ones((len(decisions), width), dtype=bool)
        for row, decision in enumerate(decisions):
            count = len(decision.tokens)
            self._columns[row, :count] = [place[token] for token in decision.tokens]
            self._closed[row, :count] = False
        self._labels = [slot.label for slot in answers.slots]
        self._options = [tuple(slot.paths) for slot in answers.slots]
        names = [tuple(str(option) for option in options) for options in self._options]
        self._layout = layout_of(tuple(zip(self._labels, names, strict=True)))
        self._paths, self._absent = self._tables(answers, width)
        self._present = ~self._absent

    def _tables(self, answers: AnswerTokens, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Where the logs of each option's decisions stand in a flat row; one zero comes last."""
        nothing = self._columns.size
        most = max(len(options) for options in self._options)
        steps = max(len(p) for slot in answers.slots for p in slot.paths.values())
        paths = np.full((len(answers.slots), most, max(steps, 1)), nothing, dtype=np.int64)
        absent = np.ones((len(answers.slots), most), dtype=bool)
        for row, (slot, start) in enumerate(zip(answers.slots, self.starts, strict=True)):
            for column, path in enumerate(slot.paths.values()):
                absent[row, column] = False
                for step, (choice, pick) in enumerate(path):
                    paths[row, column, step] = (start + choice) * width + pick
        return paths, absent

    def logs(self, logits: np.ndarray, decisions: Sequence[int] | np.ndarray) -> np.ndarray:
        """Log-probabilities of a decision's tokens.

        Args:
            logits: ``[rows, option tokens]``.
            decisions: which decision each row is about.

        Returns:
            ``[rows, most tokens]`` in float64; -inf beyond the tokens of a decision.
        """
        picked = np.take_along_axis(logits, self._columns[decisions], axis=1).astype(np.float64)
        picked[self._closed[decisions]] = -np.inf
        picked -= picked.max(axis=1, keepdims=True)
        found: np.ndarray = picked - np.log(np.exp(picked).sum(axis=1, keepdims=True))
        return found

    def even(self) -> np.ndarray:
        """Log-probabilities ``[decisions, most tokens]`` where nothing is known; a new array."""
        count = (~self._closed).sum(axis=1, keepdims=True)
        return np.where(self._closed, -np.inf, -np.log(count))

    def probs(self, logs: np.ndarray) -> np.ndarray:
        """From ``[reports, decisions, most tokens]`` to ``[reports, slots, options]``.

        Options stand in the order of the slot's; 0 beyond.
        """
        flat = logs.reshape(len(logs), -1)
        flat = np.concatenate([flat, np.zeros((len(flat), 1))], axis=1)
        found = np.exp(flat[:, self._paths].sum(axis=-1))
        found[:, self._absent] = 0.0
        result: np.ndarray = found / found.sum(axis=-1, keepdims=True)
        return result

    def all_probs(self, logits: np.ndarray) -> np.ndarray:
        """The same from logits ``[reports * decisions, option tokens]``, all decisions in order."""
        count = len(self._columns)
        reports = len(logits) // count
        logs = self.logs(logits, np.tile(np.arange(count), reports))
        return self.probs(logs.reshape(reports, count, -1))

    def by_option(self, probs: np.ndarray) -> Probs:
        """One report's ``[slots, options]`` as it is reasoned with."""
        return {
            label: dict(zip(options, row, strict=False))
            for label, options, row in zip(self._labels, self._options, probs.tolist(), strict=True)
        }

    def by_name(self, probs: np.ndarray) -> Chances:
        """The same with six decimals, by the options' names, for the output.

        Raises:
            CheckpointError: some are not numbers.
        """
        if not np.isfinite(probs).all():
            raise CheckpointError(
                "the model's probabilities are not numbers",
                remedy="its weights are damaged, or too large for this --dtype: give float32",
            )
        numbers = np.rint(probs * MILLION).astype(np.uint32)
        return Chances(self._layout, numbers[self._present].tobytes())
