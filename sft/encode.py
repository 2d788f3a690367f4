"""Records as token ids with their loss mask.

A sequence is exactly what labeling will see and write: the prompt through the model's own
chat template, opened for the assistant's turn, then the answer, then the token that ends the
turn. The loss is on the answer and that last token. Branches stand behind it in the same row
(:mod:`sft.branches`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.tasks import kind_of
from labelwright.tasks.choices import BRANCHES, LINE, AnswerTokens
from labelwright.text.amounts import amount
from labelwright.text.special_tokens import break_up, spelled_out
from sft.data import Record

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from sft.text_branches import OwnBranches, OwnEncoder

BATCH = 512
IGNORED = -100
PROBE_SYSTEM, PROBE_USER, PROBE_ANSWER = "Instruction one.", "Report two.", "Answer three."


@dataclass(frozen=True, slots=True)
class Encoded:
    """One record: token ids, of which the first ``prompt`` carry no loss.

    ``branches`` has the right token of every decision of the branches, -100 where none is due;
    ``own`` are branches that no other record has.
    """

    id: str
    tokens: list[int]
    prompt: int
    branches: list[int] = field(default_factory=list)
    own: OwnBranches | None = None

    @property
    def size(self) -> int:
        """Tokens of its row, without branches that all rows have."""
        return len(self.tokens) + (0 if self.own is None else len(self.own.tokens))


@dataclass
class Lengths:
    """What was counted while records were encoded; ``longest`` is ``(tokens, id)``."""

    limit: int
    records: int = 0
    tokens: int = 0
    loss_tokens: int = 0
    longest: tuple[int, str] = (0, "")
    dropped: int = 0
    cut: int = 0
    too_long: int = field(default=0, repr=False)

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "records": self.records,
            "tokens": self.tokens,
            "loss_tokens": self.loss_tokens,
            "longest_tokens": self.longest[0],
            "limit_tokens": self.limit,
            "dropped_too_long": self.dropped,
            "cut_too_long": self.cut,
        }


class Encoder:
    """Turns records into token ids with one tokenizer.

    Args:
        limit: the longest sequence allowed, in tokens, branches included.
        on_long: ``error``, ``drop`` or ``cut`` (the report's end, never the answer).
        label_set: what the records were built for; needed for branches.
        layout: ``line``, ``branches`` or ``both``.

    Raises:
        CheckpointError: the tokenizer cannot tell the parts of the answer apart.
        ConfigError: the tokenizer has no usable chat template.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        limit: int,
        on_long: str,
        label_set: LabelSet | None = None,
        layout: str = LINE,
    ) -> None:
        self.tokenizer = tokenizer
        self.answers: AnswerTokens | None = None
        choices = None if label_set is None else kind_of(label_set).choices(label_set)
        if layout != LINE and choices is not None:
            self.answers = AnswerTokens.of(choices, self._text_ids)
        self._label_set = label_set
        self._line = layout != BRANCHES
        self._extra = len(self.answers.tree.tokens) if self.answers else 0
        self._own: OwnEncoder | None = None
        if layout != LINE and label_set is not None and choices is None:
            from sft.text_branches import OwnEncoder

            self._own = OwnEncoder(label_set, cache(self._text_ids))
        self.on_long = on_long
        self.limit = limit
        self.stop = stop_token(tokenizer)
        known = tokenizer.added_tokens_decoder.values()
        self._special = spelled_out([*map(str, known), *tokenizer.all_special_tokens])

    @property
    def own_branches(self) -> bool:
        """Whether every record gets branches of its own."""
        return self._own is not None

    @property
    def may_cut(self) -> bool:
        """Whether ``on_long`` may be ``cut``: not where an answer names mentions of the text."""
        return self._label_set is None or not kind_of(self._label_set).whole_text

    def encode(self, records: Iterable[Record], lengths: Lengths) -> Iterator[Encoded]:
        """Yield the encoded records in order and count them in ``lengths``.

        Raises:
            ConfigError: records are too long and ``on_long`` is ``error``; raised at the
                end, so that it names how many and the longest.
        """
        iterator = iter(records)
        while batch := list(islice(iterator, BATCH)):
            for record, item in zip(batch, self._batch(batch), strict=True):
                kept = self._fit(record, item, lengths)
                if kept is not None:
                    lengths.records += 1
                    lengths.tokens += kept.size + self._extra
                    lengths.loss_tokens += len(kept.tokens) - kept.prompt
                    lengths.loss_tokens += 0 if kept.own is None else kept.own.learned
                    lengths.loss_tokens += sum(token != IGNORED for token in kept.branches)
                    yield kept
        if lengths.too_long:
            tokens, identifier = lengths.longest
            raise ConfigError(
                f"{amount(lengths.too_long, 'record', 'are')} longer than {self.limit} tokens; "
                f"the longest, {identifier}, has {tokens}",
                remedy="raise --max_length if the model's context allows it, or give "
                "--on-long drop" + (" or --on-long cut" if self.may_cut else ""),
            )

    def _batch(self, records: list[Record]) -> list[Encoded]:
        prompts = self._ids([self._render(record.system, record.user) for record in records])
        answers = self._ids([record.answer for record in records])
        return [
            Encoded(
                record.id,
                # A line is silent on what nobody knows; branches leave it open.
                [*prompt, *answer, self.stop]
                if self._line and not (self._own and record.unknown)
                else prompt,
                len(prompt),
                self._targets(record),
                None
                if self._own is None
                else self._own.of(record.user, record.answer, record.unknown),
            )
            for record, prompt, answer in zip(records, prompts, answers, strict=True)
        ]

    def _targets(self, record: Record) -> list[int]:
        """Per decision of the branches the token that should come next."""
        if self.answers is None or self._label_set is None:
            return []
        kind, label_set = kind_of(self._label_set), self._label_set
        value = kind.parse(label_set, record.answer, record.user, ended=True).value
        picks = kind.picks(label_set, value)
        taken = {s.label: picks[s.label] or next(iter(s.options)) for s in self.answers.slots}
        return [
            IGNORED if pick < 0 else decision.tokens[pick]
            for decision, pick in zip(
                self.answers.tree.decisions, self.answers.targets(taken), strict=True
            )
        ]

    def _fit(self, record: Record, item: Encoded, lengths: Lengths) -> Encoded | None:
        lengths.longest = max(lengths.longest, (item.size + self._extra, item.id))
        if item.size + self._extra <= self.limit:
            return item
        if self.on_long == "error":
            lengths.too_long += 1
            return None
        shorter = self._cut(record, item) if self.on_long == "cut" else None
        if shorter is None:
            lengths.dropped += 1
        else:
            lengths.cut += 1
        return shorter

    def _cut(self, record: Record, item: Encoded) -> Encoded | None:
        """The record with the end of its report left out; ``None`` if nothing would be left.

        A shorter text may merge into other tokens, so it is cut until it fits.
        """
        text = record.user
        limit = self.limit - self._extra
        while len(item.tokens) > limit:
            ends = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
            spans: Any = ends["offset_mapping"]
            keep = len(spans) - (len(item.tokens) - limit)
            text = text[: spans[keep - 1][1]].rstrip() if keep > 0 else ""
            if not text:
                return None
            (item,) = self._batch([replace(record, user=text)])
        return item

    def _render(self, system: str, user: str) -> str:
        return render_prompt(self.tokenizer, system, break_up(self._special, user))

    def _text_ids(self, text: str) -> list[int]:
        return self._ids([text])[0]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        ids: Any = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return list(ids)


def render_prompt(tokenizer: PreTrainedTokenizerBase, system: str, user: str) -> str:
    """The prompt as text, opened for the assistant's turn."""
    turns = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


def stop_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that the chat template writes right after an assistant's answer.

    Raises:
        ConfigError: there is no template, it loses a turn, or no special token ends the turn.
    """
    import jinja2

    if not tokenizer.chat_template:
        raise ConfigError(
            "the tokenizer has no chat template",
            remedy="give one with --chat_template_path FILE.jinja, or use an instruct model",
        )
    turns = [
        {"role": "system", "content": PROBE_SYSTEM},
        {"role": "user", "content": PROBE_USER},
        {"role": "assistant", "content": PROBE_ANSWER},
    ]
    try:
        prompt = render_prompt(tokenizer, PROBE_SYSTEM, PROBE_USER)
        whole = str(tokenizer.apply_chat_template(turns, tokenize=False))
    except jinja2.TemplateError as error:
        raise ConfigError(
            f"the chat template refuses a system, a user and an assistant turn ({error})",
            remedy="give another one with --chat_template_path FILE.jinja",
        ) from None
    if any(
        text.count(probe) != 1 for text in (prompt, whole) for probe in (PROBE_SYSTEM, PROBE_USER)
    ):
        raise ConfigError(
            "the chat template loses or doubles the system or the user turn",
            remedy="give another one with --chat_template_path FILE.jinja",
        )
    tail = whole.partition(PROBE_ANSWER)[2]
    ids: Any = tokenizer(tail, add_special_tokens=False)["input_ids"] if tail.strip() else []
    first = ids[0] if ids else tokenizer.eos_token_id
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    if first not in special:
        raise ConfigError(
            "the chat template ends the assistant's turn with no special token, so the model "
            "could not learn to stop",
            remedy="give another one with --chat_template_path FILE.jinja",
        )
    return int(first)


def to_dataset(items: Iterable[Encoded]) -> Dataset:
    """A dataset in memory with ``input_ids`` and ``labels`` (-100 where there is no loss).

    Records with branches have ``prompt`` and ``branches`` besides, for the collator. Nothing
    is written to a cache on disk.
    """
    import numpy as np
    from datasets import Dataset, Features, Sequence, Value

    ids: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    prompts: list[int] = []
    branches: list[np.ndarray] = []
    own: list[dict[str, list[int]]] = []
    for item in items:
        tokens = np.asarray(item.tokens, dtype=np.int32)
        ids.append(tokens)
        labels.append(np.where(np.arange(len(tokens)) < item.prompt, np.int32(IGNORED), tokens))
        prompts.append(item.prompt)
        branches.append(np.asarray(item.branches, dtype=np.int32))
        if item.own is not None:
            own.append(item.own.columns())
    numbers = Sequence(Value("int32"))
    columns: dict[str, Any] = {"input_ids": ids, "labels": labels}
    features = {"input_ids": numbers, "labels": numbers}
    if any(len(row) for row in branches):
        columns |= {"prompt": prompts, "branches": branches}
        features |= {"prompt": Value("int32"), "branches": numbers}
    if own:
        columns |= {"prompt": prompts, **{key: [row[key] for row in own] for key in own[0]}}
        features |= {"prompt": Value("int32"), **dict.fromkeys(own[0], numbers)}
    return Dataset.from_dict(columns, features=Features(features))
