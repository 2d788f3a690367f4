"""Packs of sequences compared with the model's own pass; packs when memory is short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPORTS
from decoding_tools import (
    ARCHITECTURES,
    KNEE,
    WINDOW,
    make_loaded,
    prompts_of,
    word_tokenizer,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.decode.constrained import Constrained
from inference.decode.decoder import DecodeOptions, Decoder
from inference.decode.memory import out_of_memory
from inference.decode.one_pass import OnePass
from inference.decode.pack_plan import Memory, Segment
from inference.decode.packed import Engine, OptionHead, verify
from inference.load import Loaded
from labelwright.errors import CheckpointError
from labelwright.records import Answer

SIZE = 40
"""Tokens of the vocabulary that the random sequences use."""


def loaded_for(kind: str) -> Loaded:
    return make_loaded(kind, KNEE, word_tokenizer(KNEE), spread=0.15)


def own_hidden(loaded: Loaded, memory: Sequence[int], segment: Segment, window: bool) -> Any:
    """What the model itself makes of one segment, with a mask over memory and segment.

    transformers takes such a mask as it is, so a window is put into it here.
    """
    tokens = [*memory, *segment.tokens]
    before, new = len(memory), len(segment.tokens)
    seen = np.zeros((len(tokens), len(tokens)), dtype=bool)
    seen[:before, :before] = np.tri(before, dtype=bool)
    seen[before:, segment.past] = True
    visible = np.tri(new, dtype=bool) if segment.visible is None else segment.visible
    seen[before:, before:] = visible
    positions = np.array([*range(before), *segment.positions])
    if window:
        seen &= positions[:, None] - positions[None, :] < WINDOW
    model: Any = loaded.model
    with torch.inference_mode():
        output = model.get_decoder()(
            input_ids=torch.tensor([tokens]),
            position_ids=torch.from_numpy(positions)[None],
            attention_mask=torch.from_numpy(seen)[None, None],
            use_cache=False,
        ).last_hidden_state[0]
    return output[before:][list(segment.wanted)]


@st.composite
def packs(draw: st.DrawFn) -> tuple[list[int], list[Segment]]:
    """A memory and segments that see parts of it, as trees or in a row."""
    token = st.integers(3, SIZE)
    memory = draw(st.lists(token, min_size=1, max_size=40))
    segments = []
    for _ in range(draw(st.integers(1, 4))):
        tokens = draw(st.lists(token, min_size=1, max_size=12))
        past = np.array(sorted(draw(st.sets(st.integers(0, len(memory) - 1)))), dtype=np.int64)
        start = len(memory) + draw(st.integers(0, 5))
        wanted = sorted(draw(st.sets(st.integers(0, len(tokens) - 1), min_size=1)))
        if draw(st.booleans()):
            segments.append(Segment(tokens, range(start, start + len(tokens)), past, wanted))
            continue
        parents = [draw(st.integers(-1, index - 1)) for index in range(len(tokens))]
        visible = np.eye(len(tokens), dtype=bool)
        depths: list[int] = []
        for index, parent in enumerate(parents):
            depths.append(0 if parent < 0 else depths[parent] + 1)
            if parent >= 0:
                visible[index] |= visible[parent]
        places = [start + depth for depth in depths]
        segments.append(Segment(tokens, places, past, wanted, visible))
    return memory, segments


@pytest.mark.parametrize("kind", ["qwen2, grouped heads", "mistral, window", "phi, head with bias"])
def test_any_pack_is_the_models_own_pass(kind: str) -> None:
    loaded = loaded_for(kind)
    engine = Engine(loaded)

    @settings(max_examples=30, deadline=None)
    @given(packs())
    def compare(case: tuple[list[int], list[Segment]]) -> None:
        tokens, segments = case
        with engine.attending():
            memory = engine.prefix(tokens)
            found = engine.run(memory, segments, keep=False)
        assert memory.size == len(tokens)
        for segment, hidden in zip(segments, found, strict=True):
            wanted = own_hidden(loaded, tokens, segment, "window" in kind)
            assert torch.allclose(hidden, wanted, atol=1e-4 * float(wanted.abs().max()))

    compare()


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_what_is_kept_is_read_as_if_it_had_stood_there(kind: str) -> None:
    """A prompt in three parts, beside another one, against the prompt in one sequence."""
    loaded = loaded_for(kind)
    engine = Engine(loaded)
    first, second = list(range(3, 38)), list(range(20, 40))
    with engine.attending():
        memory = Memory()
        nothing = np.empty(0, dtype=np.int64)
        parts = [
            Segment(second, range(20), nothing, []),
            Segment(first[:10], range(10), nothing, []),
        ]
        assert [len(h) for h in engine.run(memory, parts, keep=True)] == [0, 0]
        copy = memory.copy()
        past = np.arange(20, 30)
        (middle,) = engine.run(memory, [Segment(first[10:30], range(10, 30), past, [0])], keep=True)
        past = np.concatenate([past, np.arange(30, 50)])
        (end,) = engine.run(memory, [Segment(first[30:], range(30, 35), past, [4])], keep=False)
    assert (memory.size, copy.size) == (50, 30)
    model: Any = loaded.model
    with torch.inference_mode():
        whole = model.get_decoder()(torch.tensor([first]), use_cache=False).last_hidden_state[0]
    assert torch.allclose(middle[0], whole[10], atol=1e-4 * float(whole.abs().max()))
    assert torch.allclose(end[0], whole[34], atol=1e-4 * float(whole.abs().max()))


def test_the_model_is_left_as_it_was() -> None:
    loaded = loaded_for("llama")
    model: Any = loaded.model
    tokens = torch.arange(3, 30)[None]
    with torch.inference_mode():
        before = model(tokens).logits
        OnePass(loaded, DecodeOptions(8, 64)).decode(prompts_of(loaded, list(REPORTS)))
        assert torch.equal(model(tokens).logits, before)
    assert model.config._attn_implementation == "sdpa"


def test_a_model_whose_logits_differ_is_refused() -> None:
    """Here the comparison is with another model's logits: as if packs were read wrongly."""
    loaded = loaded_for("llama")
    engine = Engine(loaded)
    head = OptionHead(engine, [5, 6, 7])
    prompts = [[3, 4, 5, 6], [3, 4, 9]]
    verify(engine, head, [3, 4], prompts)
    weights: Any = loaded.model.get_output_embeddings()
    with torch.no_grad():
        weights.weight[5] += 0.5
    with pytest.raises(CheckpointError, match=r"logits differ by \d"):
        verify(engine, head, [3, 4], prompts)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_on_the_cpu(dtype: torch.dtype) -> None:
    """Probabilities move by the type's rounding only: 8 or 11 bits of the logits."""
    loaded = loaded_for("qwen2")
    texts = list(REPORTS)
    exact = OnePass(loaded, DecodeOptions(8, 512)).decode(prompts_of(loaded, texts))
    loaded.model.to(dtype)
    rounded = OnePass(loaded, DecodeOptions(8, 512)).decode(prompts_of(loaded, texts))
    gap = max(largest_gap(a, b) for a, b in zip(exact, rounded, strict=True))
    assert 0 < gap < (0.08 if dtype is torch.bfloat16 else 0.01)


def largest_gap(one: Answer, other: Answer) -> float:
    assert one.probs is not None
    assert other.probs is not None
    return max(
        abs(value - other.probs[name][certainty])
        for name, probs in one.probs.items()
        for certainty, value in probs.items()
    )


Make = Callable[[Loaded, DecodeOptions], Decoder]


@pytest.mark.parametrize("make", [OnePass, Constrained])
@pytest.mark.parametrize("kind", ["llama", "gemma3", "mixtral"])
def test_neighbours_move_probabilities_by_rounding_only(make: Make, kind: str) -> None:
    """Tolerance 2e-5 for probabilities in float32; labels are equal."""
    loaded = loaded_for(kind)
    prompts = prompts_of(loaded, [" ".join(REPORTS[n : 2 * n + 1]) for n in range(9)])
    alone = [make(loaded, DecodeOptions(8, 1)).decode([prompt])[0] for prompt in prompts]
    for batch_tokens in (70, 300, 5000):
        for order in (range(9), [4, 2, 7, 7, 0, 8, 1, 3, 5, 6, 7]):
            decoder = make(loaded, DecodeOptions(8, batch_tokens))
            together = decoder.decode([prompts[index] for index in order])
            for index, answer in zip(order, together, strict=True):
                assert answer.value == alone[index].value
                assert largest_gap(answer, alone[index]) < 2e-5


class Short:
    """An engine's ``run`` that has no memory for more than some tokens at once."""

    def __init__(self, engine: Engine, most: int, error: Exception) -> None:
        self.run, self.most, self.error = engine.run, most, error
        self.sizes: list[int] = []

    def __call__(self, memory: Memory, segments: Sequence[Segment], *, keep: bool) -> Any:
        size = sum(len(segment.tokens) for segment in segments)
        self.sizes.append(size)
        if size > self.most:
            raise self.error
        return self.run(memory, segments, keep=keep)


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("make", [OnePass, Constrained])
def test_where_memory_is_short_packs_are_halved_until_they_fit(
    make: Make, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = replace(loaded_for("llama"), task=None) if make is Constrained else loaded_for("llama")
    prompts = prompts_of(loaded, list(REPORTS) * 2)
    wanted = make(loaded, DecodeOptions(8, 10_000)).decode(prompts)
    decoder: Any = make(loaded, DecodeOptions(8, 10_000))
    monkeypatch.setattr(
        "inference.decode.packed_reader.free_memory", lambda: None
    )  # it takes half a second
    short = Short(decoder.reader.engine, 150, error)
    monkeypatch.setattr(decoder.reader.engine, "run", short)
    found = decoder.decode(prompts)
    assert [answer.value for answer in found] == [answer.value for answer in wanted]
    assert max(largest_gap(a, b) for a, b in zip(found, wanted, strict=True)) < 2e-5
    assert short.sizes[0] > 300
    failures = sum(size > 150 for size in short.sizes)
    short.sizes.clear()
    decoder.decode(prompts)
    assert sum(size > 150 for size in short.sizes) < failures, "the smaller pack is remembered"


def test_one_prompt_that_is_too_big_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = loaded_for("llama")
    one_pass = OnePass(loaded, DecodeOptions(8, 1000))
    monkeypatch.setattr(one_pass.reader.engine, "run", Short(one_pass.reader.engine, 5, ERRORS[1]))
    with pytest.raises(RuntimeError, match="can't allocate memory") as caught:
        one_pass.decode(prompts_of(loaded, ["Clear."]))
    assert out_of_memory(caught.value)


def test_other_errors_are_not_taken_for_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = loaded_for("llama")
    one_pass = OnePass(loaded, DecodeOptions(8, 1000))
    broken = Short(one_pass.reader.engine, 5, RuntimeError("shape mismatch"))
    monkeypatch.setattr(one_pass.reader.engine, "run", broken)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        one_pass.decode(prompts_of(loaded, list(REPORTS)))
    assert len(broken.sizes) == 1


def test_the_kinds_of_models_here_have_different_attention() -> None:
    """Grouped, multi-query and full heads; windows everywhere, in some layers and nowhere."""
    kinds = {kind: loaded_for(kind).model.config for kind in ARCHITECTURES}
    groups = {c.num_attention_heads // getattr(c, "num_key_value_heads", 4) for c in kinds.values()}
    assert groups == {1, 2, 4}
    layers = [tuple(getattr(c, "layer_types", None) or ()) for c in kinds.values()]
    assert any(len(set(types)) == 2 for types in layers)
