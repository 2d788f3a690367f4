"""Which labelers there are, and what each of them can be told: settings that are flags too."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelwright.checkpoint import has_heads, has_tags
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.options import Options, as_flag, flag, positive, share, switch
from labelwright.shipped import SHIPPED, named_model, shipped_model
from labelwright.tasks import kind_of
from labelwright.text.sections import SECTION_CHOICES

if TYPE_CHECKING:
    from labelwright.labelers.base import ReportLabeler

RULES, KNN, DICTIONARY, SERVER = "rules", "knn", "dictionary", "server"
MODEL, ENCODER, TAGGER = "model", "encoder", "tagger"
WORDS = {
    RULES: "the rules",
    KNN: "--model knn",
    DICTIONARY: "--model dictionary",
    SERVER: "a model behind a server",
    MODEL: "a generative model",
    ENCODER: "an encoder",
    TAGGER: "a tagger",
}
"""The labelers in words, for messages."""
RULES_LABEL_SET = "chexpert-14"
DEFAULT_K = 5
NO_NEIGHBOURS = "none"
NOBODY = "none"
"""The second reader where there shall be none."""

SERVED = {
    "server_kind": "kind",
    "concurrency": "concurrency",
    "server_timeout": "timeout",
    "allow_remote": "allow_remote",
    "model_folder": "folder",
    "prompt": "prompt",
    "price_in": "price_in",
    "price_out": "price_out",
    "answer_tokens": "answer_tokens",
}
"""Settings of a server, and what its labeler calls them."""
GENERATIVE = ("batch_tokens", "quantize", "deterministic", "long", "unit", "evidence")
WEIGHTS = ("device", "dtype", "batch_size")
ASKED = (SERVER, MODEL)
"""Those that read a prompt."""
CHOICES, CERTAINTIES, SILENCE, LEARNING = "choices", "certainties", "silence", "learning"
GROUPS, SIMILAR, ONE_PROMPT = "groups", "similar reports", "one prompt"
"""What a flag may need of the labeler that is loaded: the keys of :data:`NEEDS`."""
LOADED = (MODEL, ENCODER, TAGGER)
"""Those that have weights here."""
_MODEL, _SECOND, _SIMILAR, _SERVER = "model", "second reader", "similar reports", "model server"


def _price(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("must be a price, 0 or more")
    return value


@dataclass(frozen=True, kw_only=True)
class ServerSettings(Options, group=_SERVER, only=(SERVER,)):
    """A model behind a server."""

    server: str | None = flag(
        "ask a model behind an OpenAI-compatible server, such as http://127.0.0.1:8000/v1; "
        "--model is its name there, --decode free (the default) or constrained; a key is read "
        "from the environment variable LABELWRIGHT_API_KEY",
        metavar="URL",
    )
    model_folder: str | None = flag(
        "the same model's folder as training wrote it, for label set, sections and limits, "
        "where --model is another name",
        metavar="DIR",
    )
    server_kind: str | None = flag(
        "kind of server (default: auto, found out)",
        choices=("auto", "vllm", "llama.cpp", "transformers", "openai"),
    )
    concurrency: int | None = flag(
        "requests at the same time (default: 8)", type=positive, metavar="N"
    )
    server_timeout: int | None = flag(
        "longest wait for one answer (default: 120)", type=positive, metavar="SECONDS"
    )
    allow_remote: bool | None = switch(
        "allow a server on another machine: report text is sent there", default=None
    )
    by_group: bool | None = switch(
        "for fields: ask for one group of the label set at a time, of its sections only; short "
        "prompts and answers for a small model, and the document read once per group (always so "
        "for a model trained on such records)",
        only=ASKED,
        default=None,
        needs=GROUPS,
    )
    prompt: str | None = flag(
        "for entities: the label set's own (the default), or the few-shot prompt of a "
        "published benchmark (Almeida et al.)",
        choices=("labelwright", "almeida"),
    )
    price_in: float | None = flag(
        "price of a million prompt tokens, in any currency; with --price-out every "
        "prediction and the manifest say what they cost",
        type=_price,
        metavar="X",
    )
    price_out: float | None = flag("price of a million completion tokens", type=_price, metavar="X")
    answer_tokens: int | None = flag(
        "tokens that an answer may have (default: as label set or text need); give more "
        "to models that reason before they answer",
        type=positive,
        metavar="N",
    )


@dataclass(frozen=True, kw_only=True)
class NeighbourSettings(Options, group=_SIMILAR, needs=SIMILAR):
    """Similar reports, in the prompt or as voters."""

    index: Path | None = flag(
        "the index (of labelwright index build); with --model knn its labeled reports vote, else "
        "they stand in the prompt",
        only=(KNN, *ASKED),
        type=Path,
        metavar="DIR",
    )
    neighbours: str | None = flag(
        "how they stand in the prompt: their texts, texts with labels as worked examples, or "
        "not at all (default: as in training)",
        only=ASKED,
        needs=ONE_PROMPT,
        choices=("context", "few-shot", NO_NEIGHBOURS),
    )
    k: int | None = flag(
        f"neighbours per report (default: {DEFAULT_K})",
        only=(KNN, *ASKED),
        type=positive,
        metavar="N",
    )
    neighbour_words: int | None = flag(
        "words and marks of all neighbours in a prompt (default: 400)",
        only=ASKED,
        type=positive,
        metavar="N",
    )
    neighbour_split: str | None = flag(
        "the split of the index that neighbours may come from (default: train)",
        only=(KNN, *ASKED),
        metavar="NAME",
    )
    most_similar: float | None = flag(
        "leave out reports at least as similar as this (0 to 1)",
        only=(KNN, *ASKED),
        type=float,
        metavar="S",
    )
    image_column: str | None = flag(
        "look for similar images: the column of the input that names each report's image",
        only=(KNN, *ASKED),
        metavar="NAME",
    )
    image_root: Path | None = flag(
        "folder that the names of images start from (default: here)",
        only=(KNN, *ASKED),
        beside="image_column",
        type=Path,
        metavar="DIR",
    )


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Options, group=_MODEL):
    """How a model reads."""

    batch_size: int | None = flag(
        "reports read together (default: 8 on CPU, 64 on a GPU)",
        only=LOADED,
        type=positive,
        metavar="N",
    )
    device: str | None = flag("auto, cpu, cuda, cuda:1 or mps", only=(KNN, *LOADED), metavar="NAME")
    dtype: str | None = flag(
        "auto, float32, bfloat16 or float16 (auto: float32 on CPU, else the checkpoint's)",
        only=LOADED,
        metavar="NAME",
    )
    decode: str | None = flag(
        "one-pass, constrained or free (default: one-pass where the model was trained for "
        "it, else constrained; entities: constrained or free)",
        only=ASKED,
        metavar="WAY",
    )
    batch_tokens: int | None = flag(
        "tokens computed together in one-pass and constrained decoding (default: 512 on CPU, "
        "2048 there for models below 50 million parameters, 16384 on a GPU)",
        only=(MODEL,),
        type=positive,
        metavar="N",
    )
    calibration: str | Path | None = flag(
        "calibration.json of a comparison: scale the probabilities by its temperatures "
        "(default: the file of that name in the model's folder, if it has one)",
        needs=CHOICES,
        metavar="FILE|none",
    )
    quantize: str | None = flag("int8 or nf4 weights (bitsandbytes)", only=(MODEL,), metavar="KIND")
    deterministic: bool | None = switch(
        "one report at a time: identical to the bit, whatever else is labeled",
        default=None,
        only=(MODEL,),
    )
    long: str | None = flag(
        "a report longer than the model's context: read in parts (the default) or reject",
        only=(MODEL,),
        choices=("windows", "reject"),
    )
    unit: str | None = flag(
        "what the model reads at once; sentences or their clauses are asked one by one and "
        "their answers put together (default: as the model was made for)",
        only=(MODEL,),
        choices=("report", "sentence", "clause"),
    )
    evidence: str | None = flag(
        "find the sentences that carry each label: context, alone, masked or exact "
        "(default: labels only)",
        only=(MODEL,),
        metavar="WAY",
    )
    threshold: float | None = flag(
        "for taggers: the least probability of a mention (with several tags a word, of a tag); "
        "for --model dictionary: in which share of its occurrences a string must have been marked "
        "(default: as tuned on validation)",
        only=(DICTIONARY, TAGGER),
        type=share,
        metavar="P",
    )
    dictionary: Path | None = flag(
        "with --model dictionary: a folder of labelwright build; the mentions of its training "
        "notes are looked up",
        only=(DICTIONARY,),
        type=Path,
        metavar="DIR",
    )
    tagger: Path | None = flag(
        "for fields: read only the sentences in which this tagger finds something; with --judge "
        "its spans may be values",
        only=(RULES, *ASKED),
        needs=SILENCE,
        type=Path,
        metavar="DIR",
    )


SECONDS: Mapping[str, tuple[str, ...]] = {
    RULES: ("rules", "convention", "judge"),
    KNN: NeighbourSettings.names(),
}
"""What is told to a second reader of a kind, and not to the first."""


@dataclass(frozen=True, kw_only=True)
class LabelerSettings(ServerSettings, NeighbourSettings, ModelSettings):
    """Which labeler, and what it is told; ``None`` everywhere for its own default.

    ``model`` is also a shipped model's name, and where it is ``None`` the label set's shipped
    readers are meant; ``label_set`` is for a labeler that brings none. What no labeler is named
    for (``only``) is for all.
    """

    model: str | None = flag(
        "the folder of a trained model, a model of the Hugging Face hub, the rule-based labeler, "
        "or the votes of similar reports "
        "(default: for chexpert-14 the small model that comes with labelwright, with the rules as "
        "second reader, who decides)",
        metavar="DIR|HUB_NAME|rules|knn|dictionary",
    )
    label_set: LabelSet | str | Path | None = flag(
        f"of a model that has none of its own (rules: {RULES_LABEL_SET} if not given)",
        only=tuple(name for name in WORDS if name != KNN),
        metavar="FILE|NAME",
    )
    rules: Path | None = flag(
        "a rules file of your own, for --model rules", only=(RULES,), type=Path, metavar="FILE"
    )
    judge: Path | None = flag(
        "for fields, with --model rules: a folder of labelwright build; a classifier learned "
        "from its training documents decides which spans of the rules (and of --tagger) are values",
        only=(RULES,),
        needs=LEARNING,
        type=Path,
        metavar="DIR",
    )
    convention: str | None = flag(
        "another convention than the labeling guide's, for the rules: chexpert, that of the "
        "published label files of CheXpert and MIMIC-CXR; ct-rate, that of the labels of CT-RATE",
        only=(RULES,),
        needs=CERTAINTIES,
        metavar="NAME",
    )
    sections: str | None = flag(
        "what of a report to read (default: as in training; full for others); a report "
        "without headings is read whole",
        choices=SECTION_CHOICES,
    )
    unchecked: bool | None = switch(
        "take the labeler's answers as they are: no check whether a text is a report of the "
        "label set's examination and language, and whether it says what is called normal",
        default=None,
    )
    second_reader: str | None = flag(
        "another labeler for the same label set, which reads every report too; "
        "predictions.jsonl and disagreements.csv say where the two differ (default: none; without "
        "--model the rules)",
        group=_SECOND,
        metavar="DIR|HUB_NAME|rules|knn|none",
    )
    decide: str | Path | None = flag(
        "whose label stands where they differ: one of them, the one who gives its own label the "
        "higher probability, or a JSON file that says it per observation (default: as learned for "
        "this model and this second reader, else the first)",
        group=_SECOND,
        metavar="first|second|surer|FILE",
    )

    def told(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of ``names`` that are set."""
        return {n: value for n in names if (value := getattr(self, n)) is not None}

    def readers(self) -> tuple[LabelerSettings, LabelerSettings | None]:
        """The settings of the first reader and of the second, if there is one.

        The second is asked in its own usual way; it shares ``device``, unless it has no weights,
        and takes what :data:`SECONDS` says.

        Raises:
            ConfigError: ``decide`` without a second reader, or the same one twice.
        """
        name = self._second()
        if name is None:
            if self.decide is not None:
                raise ConfigError(
                    "--decide is for two readers",
                    remedy="give --second-reader too, or remove --decide",
                )
            return self, None
        if name == self.model:
            raise ConfigError(
                f"both readers are {name}", remedy="give another --second-reader, or remove it"
            )
        taken = self.told(SECONDS.get(name, ()))
        device = None if name == RULES else self.device
        second = LabelerSettings(model=name, device=device, **taken)
        return replace(self, **dict.fromkeys(taken)), second

    def _second(self) -> str | None:
        """The second reader asked for, or that of the labeler that nobody named."""
        if self.second_reader is not None:
            return None if self.second_reader == NOBODY else self.second_reader
        if self.model is not None or self.server is not None:
            return None
        from labelwright.labelers.second import usual_second

        return usual_second(self.place())

    @property
    def labeler(self) -> str:
        """Which kind of labeler the settings name; a key of ``TAKES``."""
        if self.server is not None:
            return SERVER
        if self.model in (RULES, KNN, DICTIONARY):
            return self.model
        folder = self.place()
        return TAGGER if has_tags(folder) else ENCODER if has_heads(folder) else MODEL

    @property
    def folder(self) -> str | None:
        """The model's folder, if it has one on this machine."""
        return self.place() if self.labeler in (MODEL, ENCODER, TAGGER) else None

    def place(self) -> str:
        """Where the weights are, on this machine or the hub."""
        if self.model is not None:
            return named_model(self.model)
        if self.label_set is None:
            return str(shipped_model())
        if isinstance(self.label_set, LabelSet):
            return str(shipped_model(self.label_set.name))
        if str(self.label_set) not in SHIPPED:
            LabelSet.load(self.label_set)  # a wrong name is said to be one
        return str(shipped_model(str(self.label_set)))

    def refuse_strangers(self) -> None:
        """Refuse every setting that the labeler does not take.

        Raises:
            ConfigError: there is one.
        """
        labeler = self.labeler
        strange = [one for one in self.strangers(labeler) if self.given(one)]
        if not strange:
            return
        takers = [word for name, word in WORDS.items() if not {*strange} & {*self.strangers(name)}]
        flags = ", ".join(map(as_flag, strange))
        only = f" (only to {' or '.join(takers)})" if takers else ""
        raise ConfigError(
            f"{flags} {'does' if len(strange) == 1 else 'do'} not apply to {WORDS[labeler]}{only}",
            remedy=f"remove {flags}",
        )

    def refuse_unable(self, labeler: ReportLabeler) -> None:
        """Refuse every setting that needs what this labeler, as it was loaded, has not.

        Raises:
            ConfigError: there is one.
        """
        for name, need in self.needing().items():
            able, why = NEEDS[need]
            if self.given(name) and not able(self, labeler):
                said = why.format(label_set=labeler.label_set.name)
                other = "" if need in (SIMILAR, ONE_PROMPT) else ", or give another --label-set"
                self.refuse((name,), said, remedy=f"remove it{other}")


def _shows(settings: LabelerSettings, labeler: ReportLabeler) -> bool:
    """Whether similar reports vote, or stand in the prompt by the settings or by its training."""
    if settings.labeler == KNN:
        return True
    wanted = settings.neighbours or getattr(labeler, "neighbours", None)
    return wanted not in (None, NO_NEIGHBOURS) and not settings.by_group


def _chooses(_: LabelerSettings, labeler: ReportLabeler) -> bool:
    return kind_of(labeler.label_set).choices(labeler.label_set) is not None


NEEDS: Mapping[str, tuple[Callable[[LabelerSettings, ReportLabeler], bool], str]] = {
    CHOICES: (_chooses, "is for probabilities of choices, and the answers have none"),
    CERTAINTIES: (_chooses, "is for labels of certainty"),
    SILENCE: (
        lambda settings, labeler: not _chooses(settings, labeler),
        "leaves sentences out, and silence would count as an answer here",
    ),
    LEARNING: (lambda _, labeler: hasattr(labeler, "learn"), "is for fields"),
    GROUPS: (
        lambda _, labeler: bool(kind_of(labeler.label_set).asked_apart(labeler.label_set)),
        "needs groups, and label set {label_set} has none",
    ),
    SIMILAR: (_shows, "is for --neighbours context or few-shot, or for --model knn"),
    ONE_PROMPT: (lambda settings, _: not settings.by_group, "does not go with --by-group"),
}
"""Whether a labeler has what a flag needs, and what is said of the flag where it has not."""
