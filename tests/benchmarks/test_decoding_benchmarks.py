"""The benchmarks of decoding measure what they say: valid lines, drafts wrong as often as asked."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference.decode.constrained import Constrained
from inference.decode.decoder import DecodeOptions
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

LABELS = LabelSet.load("chexpert-14")


@pytest.fixture(scope="module")
def setup() -> Iterator[Any]:
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    import decoding_setup

    yield decoding_setup
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def loaded(setup: Any) -> Any:
    return setup.random_model("tiny", LABELS, device="cpu", dtype=torch.float32)


def test_the_shapes_have_the_parameters_of_their_models(setup: Any) -> None:
    """Embeddings, tied, and per layer q, k, v, o and three feed-forward matrices."""
    size = setup.SHAPES["qwen1.5-0.5b"]
    hidden, inner = size["hidden"], size["inner"]
    layer = 4 * hidden**2 + 3 * hidden * inner
    assert round((size["vocab"] * hidden + size["layers"] * layer) / 1e6) == 464


def test_forced_generation_writes_whole_valid_lines(setup: Any, loaded: Any) -> None:
    options = DecodeOptions(2, 512)
    constrained = Constrained(loaded, options)
    free = setup.ForcedFree(loaded, options, constrained.reader.answers)
    prompts = setup.prompts_of(loaded, free.room, setup.reports(3))
    answers = free.decode(prompts)
    # Two batches; a line of 14 observations has 3 tokens each less the first comma, a full
    # stop and the end of the turn.
    assert free.steps == 2 * (14 * 3 - 1 + 1 + 1)
    for answer in answers:
        assert not [p for p in answer.problems if not p.startswith("contradiction")]
        assert None not in answer.value.values()


def test_drawn_drafts_are_wrong_in_the_share_asked_for(setup: Any, loaded: Any) -> None:
    options = DecodeOptions(2, 512)
    constrained = Constrained(loaded, options)
    scores = setup.Drawn(constrained.reader.scores, 0.25)
    width = len(constrained.reader.answers.option_tokens)
    drafts = scores.all_probs(np.zeros((14 * 2000, width)))
    blank = np.array([len(slot.options) - 1 for slot in constrained.reader.answers.slots])
    wrong = drafts.argmax(axis=2) != blank
    assert abs(wrong.mean() - 0.25) < 0.01
    constrained.reader.scores = scores
    prompts = setup.prompts_of(loaded, constrained.room, setup.reports(4))
    for answer in constrained.decode(prompts):
        assert set(answer.value.values()) == {Certainty.BLANK}
    assert max(constrained.passes) <= 2


def test_instruction_and_reports_have_the_length_of_real_ones(setup: Any, loaded: Any) -> None:
    constrained = Constrained(loaded, DecodeOptions(2, 512))
    prompts = setup.prompts_of(loaded, constrained.room, setup.reports(40))
    shared = constrained.reader.start(prompts[0])
    assert 140 <= shared <= 180
    assert 55 <= np.mean([len(p.tokens) - shared for p in prompts]) <= 90


def test_ratios_are_medians_over_rounds(setup: Any) -> None:
    seconds = {"slow": [4.0, 9.0, 10.0], "fast": [2.0, 3.0, 1.0]}
    assert setup.ratio(seconds, "slow", "fast") == 3.0
