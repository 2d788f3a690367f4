"""Answers of choices in tokens: where each slot is decided, between which tokens.

Two layouts ask for the same answers. In the *line* the slots follow each other, so each sees
those before it. In *branches* every slot is asked alone, right after the prompt: its query (the
key), then its options. Training, scoring and decoding share this module, so
they cannot drift apart. Options may have any number of tokens: their trie says at which
places a decision falls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from labelwright.errors import CheckpointError
from labelwright.tasks.base import Choices, Slot

if TYPE_CHECKING:
    from labelwright.tasks.shapes import Bools

Encode = Callable[[str], Sequence[int]]
"""Text to token ids, without special tokens."""
Known = tuple[str, str, tuple[tuple[str, str], ...]]
"""What tells a slot from others: label, prefix, options."""

MOST_KNOWN = 4096
"""Compiled slots that are remembered."""

LINE, BRANCHES = "line", "branches"
"""The names of the layouts, as checkpoints record them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision: after the tokens ``after`` of an option, which of ``tokens`` comes next."""

    after: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SlotTokens:
    """One slot.

    Attributes:
        query: what asks for this slot alone.
        prefix: what stands before its option in the line.
        options: the tokens of each option; if one is the beginning of another, the token
            that follows it in the line is included.
        choices: the decisions, each before those that depend on it.
        paths: per option, its decisions as ``(index into choices, index into its tokens)``.
        silent: as of :class:`labelwright.tasks.base.Slot`, and so is ``whole``.
    """

    label: str
    query: tuple[int, ...]
    prefix: tuple[int, ...]
    options: Mapping[str, tuple[int, ...]]
    choices: tuple[Choice, ...]
    paths: Mapping[str, tuple[tuple[int, int], ...]]
    silent: str | None = None
    whole: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of the tree: taken at token ``node``, between ``tokens``."""

    node: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """All branches in one sequence that follows the prompt.

    A token sees the prompt, its ancestors and itself. Its position is that of the prompt's
    end plus its depth.

    Attributes:
        parents: index of the token before it in its branch; -1 where the branch begins.
        depths: tokens before it in its branch.
        decisions: of all slots, in order; ``slots[i].choices`` follow each other.
        starts: index of the first decision of every slot.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    decisions: tuple[Decision, ...]
    starts: tuple[int, ...]

    def visible(self) -> Bools:
        """``[tokens, tokens]``: whether the row's token sees the column's."""
        import numpy as np

        rows = np.zeros((len(self.tokens), len(self.tokens)), dtype=bool)
        for index, parent in enumerate(self.parents):
            if parent >= 0:
                rows[index] = rows[parent]
            rows[index, index] = True
        return rows

    def followed(self, words: Sequence[tuple[int, Sequence[int], Sequence[int]]]) -> Followed:
        """The tree with what is written behind open options, to learn it.

        Args:
            words: per open option the last node of its slot's query, its tokens, and those of
                the words.
        """
        return _followed(self, words)


@dataclass(frozen=True, slots=True)
class Followed:
    """A tree with words behind open options.

    Attributes:
        nodes: tokens behind which a word's token comes.
        tokens: that token, for each of them.
    """

    tree: Tree
    nodes: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class AnswerTokens:
    """The answers of one label set in the tokens of one tokenizer."""

    slots: tuple[SlotTokens, ...]
    end: tuple[int, ...]

    @classmethod
    def of(cls, choices: Choices, encode: Encode) -> AnswerTokens:
        """Compile the answers.

        Raises:
            CheckpointError: the tokenizer joins parts of neighbouring slots into one token, or
                cannot tell two options apart.
        """
        end = tuple(encode(choices.end))
        texts = choices.slots
        heads = [tuple(encode(slot.prefix)) for slot in texts]
        follows = [*(head[0] for head in heads[1:]), end[0]]
        compiled = tuple(
            _slot(slot, head, follow, encode)
            for slot, head, follow in zip(texts, heads, follows, strict=True)
        )
        answers = cls(compiled, end)
        _check(answers, choices, encode)
        return answers

    @classmethod
    def apart(
        cls, choices: Choices, encode: Encode, known: dict[Known, SlotTokens]
    ) -> AnswerTokens:
        """Compile choices that are only ever asked side by side, each followed by the end.

        Args:
            known: slots compiled before, to which new ones with few options are added.

        Raises:
            CheckpointError: the tokenizer cannot tell two options apart.
        """
        end = tuple(encode(choices.end))
        slots = []
        for slot in choices.slots:
            key = (slot.label, slot.prefix, tuple(slot.options.items()))
            made = known.get(key)
            if made is None:
                made = _slot(slot, tuple(encode(slot.prefix)), end[0], encode)
                if len(known) < MOST_KNOWN:
                    known[key] = made
            slots.append(made)
        return cls(tuple(slots), end)

    def line(self, picks: Mapping[str, str]) -> list[int]:
        """The tokens of the whole answer line."""
        tokens: list[int] = []
        for slot, text in zip(self.slots, self._plain, strict=True):
            tokens += [*slot.prefix, *text[picks[slot.label]]]
        return [*tokens, *self.end]

    def targets(self, picks: Mapping[str, str]) -> list[int]:
        """Per decision of :attr:`tree` the index of the right token; -1 where none is due."""
        wanted = [-1] * len(self.tree.decisions)
        for slot, start in zip(self.slots, self.tree.starts, strict=True):
            for choice, pick in slot.paths[picks[slot.label]]:
                wanted[start + choice] = pick
        return wanted

    def plain_length(self, slot: int, option: str) -> int:
        """Tokens of an option as it stands in the line."""
        return len(self._plain[slot][option])

    @cached_property
    def tree(self) -> Tree:
        """The branches of all slots."""
        tokens: list[int] = []
        parents: list[int] = []
        depths: list[int] = []
        decisions: list[Decision] = []
        starts: list[int] = []
        for slot in self.slots:
            starts.append(len(decisions))
            nodes: dict[tuple[int, ...], int] = {}
            for choice in slot.choices:
                path = (*slot.query, *choice.after)
                for length in range(1, len(path) + 1):
                    if path[:length] in nodes:
                        continue
                    nodes[path[:length]] = len(tokens)
                    parents.append(nodes.get(path[: length - 1], -1))
                    depths.append(length - 1)
                    tokens.append(path[length - 1])
                decisions.append(Decision(nodes[path], choice.tokens))
        return Tree(tuple(tokens), tuple(parents), tuple(depths), tuple(decisions), tuple(starts))

    @cached_property
    def option_tokens(self) -> tuple[int, ...]:
        """Every token between which any decision falls, each once, ascending."""
        return tuple(sorted({t for s in self.slots for c in s.choices for t in c.tokens}))

    @cached_property
    def _plain(self) -> list[dict[str, tuple[int, ...]]]:
        """The options as they stand in the line, without the token that follows."""
        firsts = [*(slot.prefix[0] for slot in self.slots[1:]), self.end[0]]
        return [
            {c: t[:-1] if _closed(slot, c, first) else t for c, t in slot.options.items()}
            for slot, first in zip(self.slots, firsts, strict=True)
        ]


def _followed(tree: Tree, words: Sequence[tuple[int, Sequence[int], Sequence[int]]]) -> Followed:
    tokens, parents, depths = list(tree.tokens), list(tree.parents), list(tree.depths)
    nodes: list[int] = []
    nexts: list[int] = []
    for root, option, said in words:
        at = root
        for token in option:
            at = _child(tokens, parents, depths, at, token)
        for token in said:
            nodes.append(at)
            nexts.append(token)
            at = _child(tokens, parents, depths, at, token)
    whole = Tree(tuple(tokens), tuple(parents), tuple(depths), tree.decisions, tree.starts)
    return Followed(whole, tuple(nodes), tuple(nexts))


def _child(tokens: list[int], parents: list[int], depths: list[int], at: int, token: int) -> int:
    """The node of a token behind another; a new one where there is none."""
    for index in range(at + 1, len(tokens)):
        if parents[index] == at and tokens[index] == token:
            return index
    tokens.append(token)
    parents.append(at)
    depths.append(depths[at] + 1)
    return len(tokens) - 1


def _closed(slot: SlotTokens, option: str, follow: int) -> bool:
    """Whether the option's tokens include the one that follows it in the line."""
    tokens = slot.options[option]
    body = tokens[:-1]
    others = [other for name, other in slot.options.items() if name != option]
    return tokens[-1] == follow and any(other[: len(body)] == body for other in others)


def _slot(slot: Slot, prefix: tuple[int, ...], follow: int, encode: Encode) -> SlotTokens:
    options = {c: tuple(encode(text)) for c, text in slot.options.items()}
    whole = {
        c: (*t, follow)
        if any(o != t and o[: len(t)] == t for o in options.values())
        else t
        for c, t in options.items()
    }  # fmt: skip
    if len(set(whole.values())) < len(whole):
        raise CheckpointError(
            f"the tokenizer gives two options of {slot.label} the same tokens",
            remedy="change the words of the label set",
        )
    nexts: dict[tuple[int, ...], dict[int, int]] = {}
    for tokens in whole.values():
        for length, token in enumerate(tokens):
            here = nexts.setdefault(tokens[:length], {})
            here.setdefault(token, len(here))
    choices = [Choice(after, tuple(here)) for after, here in nexts.items() if len(here) > 1]
    choices.sort(key=lambda choice: len(choice.after))
    place = {choice.after: index for index, choice in enumerate(choices)}
    paths = {
        c: tuple(
            (place[tokens[:length]], nexts[tokens[:length]][token])
            for length, token in enumerate(tokens)
            if tokens[:length] in place
        )
        for c, tokens in whole.items()
    }
    query = tuple(encode(slot.prefix.removeprefix(",")))
    return SlotTokens(
        slot.label, query, prefix, whole, tuple(choices), paths, slot.silent, slot.whole
    )


def _check(answers: AnswerTokens, choices: Choices, encode: Encode) -> None:
    """Whole lines must have the tokens of their parts, else scores would be of another text."""
    texts = choices.slots
    most = max(len(slot.options) for slot in texts)
    for turn in range(most):
        picked = {
            slot.label: list(slot.options)[(turn + place) % len(slot.options)]
            for place, slot in enumerate(texts)
        }
        if list(encode(choices.line(picked))) != answers.line(picked):
            raise CheckpointError(
                "the model's tokenizer joins neighbouring parts of the answer into one token",
                remedy="label with --decode free, or train with --layout line",
            )
