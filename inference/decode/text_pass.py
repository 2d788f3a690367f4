"""One pass whose options each text has itself, and words copied behind those that are open.

As in :mod:`inference.decode.one_pass` every slot is a branch that sees the prompt and itself, in
the pass that reads the text. Where an open option is the likeliest, its branch goes on: greedily
the likeliest token that the kind's guide allows, all branches of a pack side by side, each seeing
the prompt's memory. Nothing is read twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.decode.decoder import DecodeOptions
from inference.decode.guided import best, pieces_of
from inference.decode.pack_plan import Memory, Segment
from inference.decode.packed_reader import PackReader, encode
from inference.decode.scores import Probs
from inference.load import Loaded
from inference.prompts import Prompt
from labelwright.errors import CheckpointError
from labelwright.records import Answer
from labelwright.tasks import kind_of
from labelwright.tasks.base import Choices, Guide
from labelwright.tasks.choices import AnswerTokens, Known, SlotTokens, Tree

if TYPE_CHECKING:
    import torch

ROOM = 64
"""Tokens kept free behind a prompt for its longest branch."""
MOST_WORDS = 400
"""Tokens that may follow an open option."""


@dataclass(frozen=True)
class Plan:
    """What is asked of one text."""

    choices: Choices
    answers: AnswerTokens
    tree: Tree

    @property
    def size(self) -> int:
        """Tokens behind the prompt."""
        return len(self.tree.tokens)


@dataclass
class Branch:
    """An open option whose words are being written.

    Attributes:
        past: indices in memory of what it sees.
        at: the position of its next token.
        tokens: still to be read.
        sure: the probability of the tokens taken, among all.
        written: the bytes so far; ``whole`` of them would have made a line.
    """

    slot: str
    guide: Guide
    state: Any
    past: np.ndarray
    at: int
    tokens: list[int]
    sure: float = 1.0
    written: bytes = b""
    whole: int = 0
    steps: int = 0
    done: bool = False

    def text(self) -> str:
        """What was written, up to the last place where it could have ended."""
        return self.written[: self.whole].decode("utf-8", "replace").strip()


@dataclass
class Found:
    """What one prompt's pass said."""

    probs: Probs
    words: dict[str, tuple[str, float]] = field(default_factory=dict)


class TextPass:
    """Reads each prompt once, scores its own options, and copies words where they are open.

    Raises:
        CheckpointError: the model or its tokenizer cannot be read so.
    """

    def __init__(self, loaded: Loaded, options: DecodeOptions) -> None:
        self._kind = kind_of(loaded.label_set)
        self._label_set = loaded.label_set
        self._loaded = loaded
        self._tokens: dict[str, list[int]] = {}
        self._known: dict[Known, SlotTokens] = {}
        plan = self._plan("1")
        self._pieces = pieces_of(loaded) if any(s.open for s in plan.choices.slots) else {}
        self.reader = PackReader(loaded, options, plan.answers.option_tokens)

    @property
    def room(self) -> int:
        """The longest branch, words behind it not counted."""
        return ROOM

    def describe(self) -> Mapping[str, Any]:
        """For the manifest."""
        return {
            "mode": "one-pass",
            "options": "those of the label set and of each text",
            "words": "greedy among the valid ones",
        }

    def decode(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """Values and probabilities; every answer is complete."""
        plans = {id(prompt): self._plan(prompt.text) for prompt in prompts}
        extra = [plans[id(prompt)].size for prompt in prompts]
        results = self.reader(
            prompts, lambda memory, pack: self._read(memory, pack, plans), extra=extra
        )
        return [
            self._answer(prompt, found, seconds)
            for prompt, (found, seconds) in zip(prompts, results, strict=True)
        ]

    def _answer(self, prompt: Prompt, found: Found, seconds: float) -> Answer:
        told = self._kind.picked_in(self._label_set, prompt.text, found.probs, found.words)
        return Answer(
            value=told.value,
            raw=told.raw,
            problems=told.problems,
            notes=(*prompt.notes, *told.notes),
            seconds=seconds,
        )

    def _plan(self, text: str) -> Plan:
        choices = self._kind.choices_in(self._label_set, text)
        if choices is None:
            raise CheckpointError(
                f"answers for label set {self._label_set.name} are not asked side by side",
                remedy="use --decode free",
                source=self._loaded.name,
            )
        answers = AnswerTokens.apart(choices, self._encode, self._known)
        return Plan(choices, answers, answers.tree)

    def _encode(self, text: str) -> list[int]:
        if text not in self._tokens:
            if len(self._tokens) > 100_000:
                self._tokens.clear()
            self._tokens[text] = encode(self._loaded, text)
        return self._tokens[text]

    def _read(
        self, memory: Memory, prompts: Sequence[Prompt], plans: Mapping[int, Plan]
    ) -> list[Found]:
        mine = [plans[id(prompt)] for prompt in prompts]
        segments = [self._segment(p, plan) for p, plan in zip(prompts, mine, strict=True)]
        base = memory.size
        hidden = self.reader.engine.run(memory, segments, keep=bool(self._pieces))
        tokens = sorted({token for plan in mine for token in plan.answers.option_tokens})
        head = self.reader.engine.options(tokens)
        logits = head(hidden)
        results = []
        rows: list[tuple[Found, Branch]] = []
        start = 0
        for prompt, plan, segment in zip(prompts, mine, segments, strict=True):
            count = len(plan.tree.decisions)
            found = Found(option_probs(plan.answers, logits[start : start + count], head.place))
            start += count
            new = len(segment.tokens) - plan.size
            past = np.concatenate([segment.past, np.arange(base, base + new)])
            rows += [(found, branch) for branch in self._open(prompt, plan, found.probs, past)]
            base += len(segment.tokens)
            results.append(found)
        if rows:
            self._write(memory, [branch for _, branch in rows])
        for found, branch in rows:
            found.words[branch.slot] = (branch.text(), branch.sure)
        return results

    def _segment(self, prompt: Prompt, plan: Plan) -> Segment:
        """What is new of the prompt, and all branches behind it."""
        reader, tree = self.reader, plan.tree
        start, size = reader.start(prompt), len(prompt.tokens)
        new, extra = size - start, len(tree.tokens)
        visible = np.zeros((new + extra, new + extra), dtype=bool)
        visible[:new, :new] = np.tri(new, dtype=bool)
        visible[new:, :new] = True
        visible[new:, new:] = tree.visible()
        return Segment(
            tokens=[*prompt.tokens[start:], *tree.tokens],
            positions=[*range(start, size), *(size + np.array(tree.depths, dtype=np.int64))],
            past=reader.past(prompt),
            wanted=new + np.array([one.node for one in tree.decisions], dtype=np.int64),
            visible=visible,
        )

    def _open(self, prompt: Prompt, plan: Plan, probs: Probs, past: np.ndarray) -> list[Branch]:
        found = []
        for slot, tokens in zip(plan.choices.slots, plan.answers.slots, strict=True):
            option = max(probs[slot.label], key=probs[slot.label].__getitem__)
            if option not in slot.open:
                continue
            guide = self._kind.words_guide(self._label_set, prompt.text, slot.label)
            read = [*tokens.query, *self._encode(slot.options[option])]
            found.append(
                Branch(slot.label, guide, guide.start(), past, len(prompt.tokens), list(read))
            )
        return found

    def _write(self, memory: Memory, branches: Sequence[Branch]) -> None:
        """Write all branches to their ends, a token each at a time."""
        import torch

        model = self._loaded.model
        head = model.get_output_embeddings()
        softcap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
        context = self._loaded.context or 1 << 30
        while open_ := [branch for branch in branches if not branch.done]:
            base = memory.size
            segments = [
                Segment(b.tokens, range(b.at, b.at + len(b.tokens)), b.past, [len(b.tokens) - 1])
                for b in open_
            ]
            hidden = torch.cat(self.reader.engine.run(memory, segments, keep=True))
            with torch.inference_mode():
                logits = head(hidden).float()
                if softcap:
                    logits = torch.tanh(logits / softcap) * softcap
                chances = logits.softmax(dim=-1)
            for row, branch in enumerate(open_):
                count = len(branch.tokens)
                branch.past = np.concatenate([branch.past, np.arange(base, base + count)])
                base += count
                branch.at += count
                self._take(branch, logits[row], chances[row], context)

    def _take(self, branch: Branch, row: torch.Tensor, chances: torch.Tensor, context: int) -> None:
        """Take the likeliest token that is valid."""
        found = best(row, branch.guide, branch.state, self._pieces, ())
        if found is None or found[1] is None:
            branch.done = True
            return
        token, state = found
        branch.sure *= float(chances[token])
        branch.steps += 1
        branch.written += self._pieces[token]
        branch.state = state
        if branch.guide.may_end(state):
            branch.done, branch.whole = True, len(branch.written)
            return
        if branch.guide.advance(state, b"\n") is not None:
            branch.whole = len(branch.written)
        branch.tokens = [token]
        branch.done = branch.steps >= MOST_WORDS or branch.at + 1 >= context


def option_probs(answers: AnswerTokens, logits: np.ndarray, place: Mapping[int, int]) -> Probs:
    """Per slot the probability of every option.

    Args:
        logits: ``[decisions, tokens]``, in the order of the tree's decisions.
        place: the column of each token.
    """
    logs = []
    for decision, row in zip(answers.tree.decisions, logits, strict=True):
        picked = row[[place[token] for token in decision.tokens]].astype(np.float64)
        picked -= picked.max()
        logs.append(picked - np.log(np.exp(picked).sum()))
    probs: Probs = {}
    for slot, start in zip(answers.slots, answers.tree.starts, strict=True):
        each = {
            option: float(np.exp(sum(logs[start + choice][pick] for choice, pick in path)))
            for option, path in slot.paths.items()
        }
        total = sum(each.values())
        probs[slot.label] = {option: prob / total for option, prob in each.items()}
    return probs
