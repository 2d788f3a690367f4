"""From settings to what the trainer takes: the masked language model and the windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from baselines.encoder.scratch import PRESETS, make_scratch_encoder
from baselines.encoder.start import context_of, find_encoder, load_parts
from baselines.epochs import Draws
from baselines.pretrain.arguments import EMLM_CL, MLM, Settings, rate_of
from baselines.pretrain.corpus import Corpus, Counts, MaskedPadding, Reading
from baselines.pretrain.masking import ALL, BERT, Masker
from baselines.pretrain.model import PretrainModel
from baselines.pretrain.sources import Sources
from baselines.tagger.tags import Tagging
from baselines.tagger.words import WordReader
from labelwright.errors import CheckpointError, ConfigError
from labelwright.io.run_folder import START
from labelwright.runtime.pretrained import UNUSED, gaps, readable, refuse_gaps
from labelwright.runtime.training import say
from labelwright.text.amounts import amount

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Ready:
    """All that the trainer takes.

    Attributes:
        new_head: whether the start had no weights for the prediction of words.
        label_tokens: the name of each label token and the words that its vector started from.
        held_out: windows that are masked the same every time; ``None`` if there are none.
        before: the losses of the start on them.
    """

    model: PretrainModel
    tokenizer: PreTrainedTokenizerBase
    base: str
    limit: int
    new_head: bool
    label_tokens: dict[str, str]
    train: Corpus
    held_out: Corpus | None
    counts: dict[str, Counts]
    padding: MaskedPadding
    before: dict[str, float]


def prepare(settings: Settings, sources: Sources, output: Path) -> Ready:
    """Load or make the model and read the texts.

    Raises:
        LabelwrightError: the start or the texts cannot be used.
    """
    from transformers import set_seed

    task = settings.task
    set_seed(settings.training.seed)
    lm, tokenizer, base, new_head = _start(settings, sources, output)
    mask = tokenizer.mask_token_id
    if mask is None:
        raise CheckpointError(
            "the encoder's tokenizer has no mask token",
            remedy="use an encoder that was trained on masked words, such as a BERT or RoBERTa",
            source=base,
        )
    limit = min(task.max_length, context_of(lm, tokenizer) or task.max_length)
    reader = WordReader(tokenizer, limit=limit, stride=0)
    tagging, names = None, {}
    if task.objective != MLM:
        assert sources.data is not None  # noqa: S101
        tagging = Tagging(sources.data.label_set, "BIO", False)
        names = {f"<{tag}>": _words_of(tag) for tag in tagging.names[1:]}
    spelled = [_spelled(tokenizer, words) for words in names.values()]
    model = PretrainModel(
        lm,
        labels=spelled,
        temperature=task.temperature if task.objective == EMLM_CL else None,
    )
    drawable = np.setdiff1d(
        np.arange(min(len(tokenizer), model.vocabulary)), tokenizer.all_special_ids
    ).astype(np.int32)
    shares = BERT if task.objective == MLM else ALL
    masker = Masker(int(mask), drawable, rate=rate_of(task), shares=shares)
    teacher = task.teacher if task.objective == EMLM_CL else None
    seed = settings.training.seed
    train = Corpus(masker, Draws(seed), teacher=teacher)
    held = Corpus(masker, Draws(seed, epoch=None), teacher=teacher)
    labels = [0, *range(model.vocabulary, model.vocabulary + len(spelled))]
    counts = _read(sources, Reading(reader, tagging, labels), train, held)
    _check(settings, sources, counts)
    padding = MaskedPadding(
        int(tokenizer.pad_token_id or 0),
        frame=(len(reader.head), len(reader.tail)),
        vocabulary=model.vocabulary,
    )
    held_out = held if len(held) and settings.evaluates else None
    before = {} if held_out is None else held_out_losses(settings, model, held_out, padding)
    return Ready(
        model=model,
        tokenizer=tokenizer,
        base=base,
        limit=limit,
        new_head=new_head,
        label_tokens=names,
        train=train,
        held_out=held_out,
        counts=counts,
        padding=padding,
        before=before,
    )


@torch.inference_mode()
def held_out_losses(
    settings: Settings, model: PretrainModel, corpus: Corpus, padding: MaskedPadding
) -> dict[str, float]:
    """Loss per window batch of the held-out texts, always with the same tokens masked.

    Returns:
        ``loss``, what is trained; ``masked_words`` the cross-entropy alone and, where label
        tokens stand in the text, ``without_labels``: the same tokens in plain text, as a tagger
        will read it. The last two are means over all masked tokens.
    """
    model.eval()
    place, size = settings.training.device, settings.training.per_device_eval_batch_size
    model.to(place)
    totals = dict.fromkeys(("loss", "masked_words", "without_labels"), 0.0)
    weight = 0
    for start in range(0, len(corpus), size):
        numbers = range(start, min(start + size, len(corpus)))
        batch = padding([corpus[n] for n in numbers])
        count = int((batch["targets"] >= 0).sum())
        out = model(**{name: part.to(place) for name, part in batch.items()})
        totals["loss"] += float(out["loss"]) * count
        totals["masked_words"] += float(out["masked"]) * count
        if model.labels is not None:
            plain = padding([corpus.without_labels(n) for n in numbers])
            out = model(**{name: part.to(place) for name, part in plain.items()})
            totals["without_labels"] += float(out["masked"]) * count
        weight += count
    if model.labels is None:
        del totals["without_labels"]
    return {name: total / max(weight, 1) for name, total in totals.items()}


def _start(
    settings: Settings, sources: Sources, output: Path
) -> tuple[Any, PreTrainedTokenizerBase, str, bool]:
    """The language model, its tokenizer, the start's name, and whether its head is new."""
    from transformers import AutoModelForMaskedLM

    task = settings.task
    if task.scratch is not None:
        folder, base = output / START, f"scratch ({task.scratch})"
        if not (folder / "tokenizer_config.json").is_file():
            shape = PRESETS[task.scratch]
            texts = sources.training_texts()
            make_scratch_encoder(texts, folder, shape=shape, seed=settings.training.seed)
        source = str(folder)
    else:
        source, base = find_encoder(str(task.model_name_or_path))
    _, tokenizer = load_parts(source, name=base, revision=task.model_revision, dtype=torch.float32)
    options: dict[str, Any] = {"trust_remote_code": False, "dtype": torch.float32}
    if task.model_revision is not None:
        options["revision"] = task.model_revision
    with readable(base, part="masked language model"):
        lm, found = AutoModelForMaskedLM.from_pretrained(
            source,
            use_safetensors=True,
            output_loading_info=True,
            local_files_only=Path(source).is_dir(),
            **options,
        )
    lm.tie_weights()
    own = f"{lm.base_model_prefix}."
    absent = [str(key) for key in gaps(found)]
    refuse_gaps(base, [key for key in absent if key.startswith(own)], unused=UNUSED)
    new_head = any(not key.startswith((own, *UNUSED)) for key in absent)
    if new_head:
        say(
            settings,
            f"{base} has no weights for the prediction of words: a new layer, tied to its "
            "embeddings, is trained with it",
        )
    return lm, tokenizer, base, new_head


def _read(sources: Sources, reading: Reading, train: Corpus, held: Corpus) -> dict[str, Counts]:
    counts = {"train": Counts(), "validation": Counts()}
    found = sources.notes(counts["train"])
    while notes := list(islice(found, WAITING)):
        reading.into(train, (note for held_out, note in notes if not held_out), counts["train"])
        reading.into(held, (note for held_out, note in notes if held_out), counts["validation"])
    return counts


WAITING = 256
"""Notes that are read together; only these many texts are in memory."""


def _check(settings: Settings, sources: Sources, counts: dict[str, Counts]) -> None:
    task = settings.task
    source = task.data or task.texts[0]
    for name in ("train", "validation") if settings.evaluates else ("train",):
        found = counts[name]
        if found.windows:
            continue
        if name == "validation":
            raise ConfigError(
                "no reports are held out to score the epochs by"
                if not found.notes
                else "the held-out reports have nothing to mask",
                remedy="build with a validation split, raise --held_out, or keep the last epoch "
                "with --eval_strategy no",
                source=source,
            )
        what = "no report has a word" if task.objective == MLM else "no report has an entity"
        raise ConfigError(
            f"{what} to mask",
            remedy="give other reports" if task.objective == MLM else "use --objective mlm",
            source=source,
        )
    batch = settings.training.per_device_train_batch_size
    if counts["train"].windows < batch:
        say(
            settings,
            f"the corpus has {amount(counts['train'].windows, 'window')}, fewer than a batch of "
            f"{batch}: every epoch is one step",
        )
    for reason, number in counts["train"].left_out.items():
        say(settings, f"{amount(number, 'text')} left out: {reason}")
    if sources.rejects:
        say(
            settings, f"{amount(len(sources.rejects), 'row')} of the texts rejected (rejects.jsonl)"
        )


def _words_of(tag: str) -> str:
    """The words that name a tag: ``B-Diagnosis date|positive`` is ``Diagnosis date positive``."""
    return " ".join(tag[2:].replace("|", " ").replace("_", " ").split())


def _spelled(tokenizer: Any, words: str) -> Sequence[int]:
    ids: list[int] = tokenizer(words, add_special_tokens=False)["input_ids"]
    return ids or [int(tokenizer.mask_token_id)]
