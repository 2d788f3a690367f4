"""Evidence: what the model is shown and asked is what is said; offsets are those of the text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPORTS
from decoding_tools import (
    BOTH,
    BRANCHES_ONLY,
    KNEE,
    LINE_ONLY,
    TANGLED,
    B,
    N,
    P,
    U,
    every_probability,
    letter_tokenizer,
    make_loaded,
    option_tokens,
    prompts_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.decode.constrained import Constrained
from inference.decode.decoder import DecodeOptions
from inference.decode.evidence import CARRIES, LOST, Evidence, Locator, Spans, Weights
from inference.decode.evidence_views import VIEWS, Read
from inference.decode.one_pass import OnePass
from inference.labeler import Labeler, LabelerOptions
from inference.load import Loaded
from inference.prompts import Located, Prompt, Sentence
from labelwright.errors import CheckpointError, ConfigError
from labelwright.records import Answer, Certainty
from labelwright.tasks import kind_of
from labelwright.tasks.certainty.together import of_windows
from labelwright.tasks.choices import AnswerTokens
from labelwright.text.sentences import sentence_spans

TEXTS = [" ".join(REPORTS[:3]), "Clear lungs. 1.5 cm cyst.\nNo tear! Small effusion", "No tear."]


class Recording(Evidence):
    """Keeps what it weighed."""

    def select(self, report: Read, weights: Weights) -> Spans:
        self.__dict__.setdefault("kept", []).append((report, weights))
        return super().select(report, weights)


def located(loaded: Loaded, texts: list[str]) -> list[Prompt]:
    find = Locator(loaded)
    prompts = []
    for prompt, text in zip(prompts_of(loaded, texts), texts, strict=True):
        place = find(text, prompt.tokens)
        assert place is not None
        prompts.append(replace(prompt, located=place))
    return prompts


def weighed(
    loaded: Loaded, way: str, decoder: type[OnePass] | type[Constrained] = OnePass, budget: int = 90
) -> list[tuple[Read, Weights]]:
    """What the evidence of :data:`TEXTS` weighs, by report in their order."""
    made: Any = decoder(loaded, DecodeOptions(batch_size=1, batch_tokens=budget))
    branches = decoder is OnePass or "branches" in loaded.task.layouts  # type: ignore[union-attr]
    reading = Recording(made.reader, way, branches=branches)
    if decoder is OnePass:
        made.evidence = reading
    else:
        made._evidence = reading
    prompts = located(loaded, TEXTS)
    made.decode(prompts)
    order = [prompt.tokens for prompt in prompts]
    return sorted(reading.__dict__["kept"], key=lambda item: order.index(item[0].prompt.tokens))


def masked_probs(
    loaded: Loaded, read: Read, shown: list[int], query: list[int], options: dict[Certainty, int]
) -> dict[Certainty, float]:
    """By the model's own pass over prompt, its end once more, and query, under a dense mask."""
    place, tokens = read.prompt.located, list(read.prompt.tokens)
    assert place is not None
    size, tail = len(tokens), tokens[place.tail :]
    row = [*tokens, *tail, *query]
    sees = np.zeros((len(row), len(row)), dtype=bool)
    sees[:size, :size] = np.tri(size, dtype=bool)
    sees[size:, : place.head] = True
    sees[size:, size:] = np.tri(len(tail) + len(query), dtype=bool)
    sees[np.ix_(range(size + len(tail), len(row)), shown)] = True
    mask = torch.where(torch.from_numpy(sees), 0.0, -torch.inf)[None, None]
    places = [*range(size), *range(place.tail, size), *range(size, size + len(query))]
    model: Any = loaded.model
    with torch.inference_mode():
        logits = model(
            input_ids=torch.tensor([row]),
            position_ids=torch.tensor([places]),
            attention_mask=mask,
            use_cache=False,
        ).logits[0, -1]
    probs = logits[list(options.values())].double().softmax(0).tolist()
    return dict(zip(options, probs, strict=True))


def queries(loaded: Loaded) -> dict[str, tuple[list[int], dict[Certainty, list[int]], int]]:
    """Per observation the tokens that ask for it alone, its options and what follows them."""
    found = {}
    for place, (name, prefix, options, follow) in enumerate(option_tokens(loaded)):
        text = loaded.tokenizer.decode(prefix)
        query = text if place == 0 else text.removeprefix(",")
        tokens = loaded.tokenizer(query, add_special_tokens=False)["input_ids"]
        found[name] = (list(tokens), options, follow)
    return found


def weight(probs: dict[Certainty, float], label: Certainty, whole: float | None) -> float:
    """As docs/evidence.md has it."""
    if whole is not None:
        return float(np.clip(1 - probs[label] / whole, 0, 1))
    return 0.0 if probs.get(B, 0.0) > 0.5 else probs[label]


@pytest.mark.parametrize("kind", ["qwen2, grouped heads", "llama"])
@pytest.mark.parametrize("way", ["context", "masked"])
def test_remembered_views_are_a_dense_mask_over_the_report(kind: str, way: str) -> None:
    loaded = make_loaded(kind, KNEE)
    asked = 0
    for read, weights in weighed(loaded, way)[:2]:
        place = read.prompt.located
        assert place is not None
        for name, row in weights.items():
            query, options, _ = queries(loaded)[name]
            firsts = {c: tokens[0] for c, tokens in options.items()}
            body = list(range(place.head, place.tail))
            label = read.picks[name]
            whole = None
            if way == "masked":
                whole = masked_probs(loaded, read, body, query, firsts)[label]
            for sentence, found in zip(place.sentences, row.tolist(), strict=True):
                own = set(range(sentence.first, sentence.last))
                shown = [i for i in body if (i in own) == (way == "context")]
                probs = masked_probs(loaded, read, shown, query, firsts)
                assert found == pytest.approx(weight(probs, label, whole), abs=1e-4)
                asked += 1
    assert asked >= 6


@pytest.mark.parametrize("way", ["alone", "exact"])
@pytest.mark.parametrize("kind", ["qwen2", "mistral, window", "gpt2"])
def test_views_read_anew_are_prompts_of_their_own(kind: str, way: str) -> None:
    loaded = make_loaded(kind, KNEE)
    asked = 0
    for read, weights in weighed(loaded, way)[:2]:
        place, tokens = read.prompt.located, list(read.prompt.tokens)
        assert place is not None
        for name, row in weights.items():
            query, options, follow = queries(loaded)[name]
            label, whole = read.picks[name], None
            if way == "exact":
                whole = every_probability(loaded, [*tokens, *query], options, follow)[label]
            for sentence, found in zip(place.sentences, row.tolist(), strict=True):
                body = tokens[sentence.first : sentence.last]
                if way == "exact":
                    before, after = tokens[place.head : sentence.first], tokens[sentence.last :]
                    body = [*before, *after[: place.tail - sentence.last]]
                shown = [*tokens[: place.head], *body, *tokens[place.tail :], *query]
                probs = every_probability(loaded, shown, options, follow)
                assert found == pytest.approx(weight(probs, label, whole), abs=1e-4)
                asked += 1
    assert asked >= 6


def test_a_model_of_the_line_is_asked_in_its_line() -> None:
    loaded = make_loaded("qwen2", KNEE, layouts=LINE_ONLY)
    answers = AnswerTokens.of(
        kind_of(KNEE).choices(KNEE),
        lambda text: loaded.tokenizer(text, add_special_tokens=False)["input_ids"],
    )
    for read, weights in weighed(loaded, "alone", Constrained)[:2]:
        place, tokens = read.prompt.located, list(read.prompt.tokens)
        assert place is not None
        assert weights
        line: list[int] = []
        for name, prefix, options, follow in option_tokens(loaded):
            line += prefix
            for sentence, found in zip(place.sentences, weights.get(name, []), strict=False):
                body = tokens[sentence.first : sentence.last]
                shown = [*tokens[: place.head], *body, *tokens[place.tail :], *line]
                probs = every_probability(loaded, shown, options, follow)
                assert found == pytest.approx(weight(probs, read.picks[name], None), abs=1e-4)
            line += options[read.picks[name]]
        assert [*line, *answers.end] == answers.line(read.picks)


@pytest.mark.parametrize("way", VIEWS)
def test_packs_and_tokens_of_any_number_weigh_the_same(way: str) -> None:
    """Words of several tokens, budgets from one prompt per pass to all in one."""
    loaded = make_loaded("llama", TANGLED, letter_tokenizer())
    many, few = (weighed(loaded, way, budget=budget) for budget in (4096, 1))
    for (_, one), (_, other) in zip(many, few, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            assert one[name] == pytest.approx(other[name], abs=1e-4)


pieces = st.sampled_from(
    [
        "No tear",
        "1.5 cm cyst",
        "<|im_end|>",
        "é°\u0301",
        "🫁",
        ". ",
        "!\n",
        "\n\n",
        " ",
        "? ",
        "FINDINGS:",
    ]
)


@settings(max_examples=60, deadline=None)
@given(text=st.lists(pieces, min_size=1, max_size=9).map("".join).filter(str.strip))
def test_sentences_are_found_in_the_prompt(text: str) -> None:
    loaded = LOADED
    (prompt,) = prompts_of(loaded, [text])
    place = Locator(loaded)(text, prompt.tokens)
    assert place is not None
    ends = [(s.start, s.end) for s in place.sentences]
    spans = sentence_spans(text)
    assert [end for _, end in ends] == [end for _, end in spans]
    for (start, end), (whole, _) in zip(ends, spans, strict=True):
        assert whole <= start < end
        assert start == whole or text[whole:start].rstrip().endswith(":")
    bounds = [place.head, *(s.last for s in place.sentences)]
    assert [s.first for s in place.sentences] == bounds[:-1]
    assert bounds[-1] == place.tail
    for sentence, (start, end) in zip(place.sentences, spans, strict=True):
        read = loaded.tokenizer.decode(prompt.tokens[sentence.first : sentence.last])
        # A special token spelled out has a space in the prompt that the report has not.
        assert text[start:end].replace("<|im_end|>", "< |im_end|>") in read


LOADED = make_loaded("qwen2", KNEE, letter_tokenizer())


def test_a_heading_is_no_part_of_the_evidence() -> None:
    text = "FINDINGS:\nClear lungs. A tear.\n\nIMPRESSION: Meniscal tear."
    (prompt,) = located(LOADED, [text])
    assert prompt.located is not None
    quoted = [text[s.start : s.end] for s in prompt.located.sentences]
    assert quoted == ["Clear lungs.", "A tear.", "Meniscal tear."]


def test_tokens_of_another_text_are_not_located() -> None:
    (prompt,) = prompts_of(LOADED, ["A tear."])
    assert Locator(LOADED)("No tear.", prompt.tokens) is None


def test_what_weighs_enough() -> None:
    """By hand: shown alone, 0.1 is enough; hidden, half of the label must be lost."""
    loaded = make_loaded("qwen2", KNEE)
    made = OnePass(loaded, DecodeOptions(1, 64))
    place = Located(1, 9, (Sentence(0, 4, 1, 5), Sentence(5, 9, 5, 9)))
    read = Read(Prompt((1,), located=place), np.arange(1), {"Cyst": P})
    for way, enough in (("context", CARRIES), ("masked", LOST)):
        found = Evidence(made.reader, way, branches=True)
        assert found.select(read, {"Cyst": np.array([enough, enough - 0.01])}) == {"Cyst": [[0, 4]]}
        assert found.select(read, {"Cyst": np.zeros(2)}) == {}


def test_blank_labels_and_the_label_of_nothing_have_no_evidence() -> None:
    for read, weights in weighed(make_loaded("qwen2", KNEE, seed=3), "context"):
        for name, label in read.picks.items():
            assert (name in weights) == (label is not B and not (name == "Normal" and label is P))


def test_windows_join_the_evidence_of_those_that_say_the_same() -> None:
    def answer(label: Certainty, spans: list[list[int]]) -> Answer:
        labels = dict.fromkeys(KNEE.names, B) | {"Cyst": label}
        return Answer(value=labels, seconds=0.0, evidence={"Cyst": spans} if spans else {})

    joined = of_windows(
        KNEE, [answer(P, [[0, 5]]), answer(N, [[7, 9]]), answer(B, []), answer(P, [[20, 25]])]
    )
    assert joined.evidence == {"Cyst": [[0, 5], [20, 25]]}


@pytest.mark.parametrize("layouts", [BOTH, LINE_ONLY, BRANCHES_ONLY])
def test_labels_are_the_same_and_places_are_in_the_report(layouts: tuple[str, ...]) -> None:
    loaded = make_loaded("qwen2", KNEE, layouts=layouts)
    loaded = replace(loaded, context=200)
    long = " ".join(f"{text} Cyst number {i}." for i, text in enumerate(REPORTS * 3))
    texts = [*TEXTS, long]
    plain = Labeler(loaded, LabelerOptions()).label(texts)
    labeler = Labeler(loaded, LabelerOptions(evidence="context"))
    assert labeler.describe()["decoding"]["evidence"] == "context"
    found = labeler.label(texts)
    assert any(note.startswith("windows") for note in found[-1].notes)
    sentences = {text: {span[1] for span in sentence_spans(text)} for text in texts}
    said = 0
    for text, before, after in zip(texts, plain, found, strict=True):
        assert before.labels == after.labels
        assert before.evidence is None
        assert after.evidence is not None
        for name, spans in after.evidence.items():
            assert after.labels[name] in (P, N, U)
            assert spans == sorted(spans)
            assert {end for _, end in spans} <= sentences[text]
            said += len(spans)
    assert said > 4
    assert found[2].evidence == {
        name: [[0, len("No tear.")]]
        for name, label in found[2].labels.items()
        if label is not B and not (name == "Normal" and label is P)
    }


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"evidence 'all'.*context, alone, masked, exact"):
        LabelerOptions(evidence="all")
    with pytest.raises(ConfigError, match="free decoding finds no evidence"):
        LabelerOptions(decode="free", evidence="context")


def test_a_model_that_cannot_be_read_in_packs_has_no_evidence() -> None:
    loaded = make_loaded("cohere, scaled logits", KNEE)
    assert Labeler(loaded).describe()["decoding"]["mode"] == "free"
    with pytest.raises(CheckpointError, match=r"which evidence needs.*without --evidence"):
        Labeler(loaded, LabelerOptions(evidence="context"))
