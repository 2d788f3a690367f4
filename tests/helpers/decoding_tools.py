"""Small models of many architectures, label sets and tokenizers for the tests of decoding.

What a model's own forward pass says of one sequence is asked here, without any of the project's
decoding: the tests compare with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from conftest import REPORTS

from inference.load import Loaded
from inference.prompts import Prompt, PromptWriter
from labelwright.checkpoint import TaskInfo
from labelwright.label_set import LabelSet
from labelwright.records import Certainty
from labelwright.tasks.certainty.answer import END, PROMPT_VERSION, choices, render
from sft.scratch import CHATML, EOS, PAD, TURN, train_tokenizer

P, N, U, B = Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN, Certainty.BLANK
BOTH, LINE_ONLY, BRANCHES_ONLY = ("line", "branches"), ("line",), ("branches",)


def make_label_set(
    labels: Sequence[Mapping[str, Any]],
    words: Mapping[str, str] | None = None,
    exclusive: Sequence[Mapping[str, Any]] = (),
    instruction: str = "Label the report. Observations: {labels}.",
) -> LabelSet:
    """A label set from the parts of its file."""
    whole: dict[str, Any] = {
        "name": "made",
        "version": "1",
        "task": "certainty",
        "instruction": instruction,
        "labels": list(labels),
    }
    if words:
        whole["certainties"] = dict(words)
    if exclusive:
        whole["exclusive"] = list(exclusive)
    return LabelSet.from_text(json.dumps(whole))


KNEE = make_label_set(
    [
        {"name": "Meniscal Tear", "key": "MT"},
        {"name": "Joint Effusion"},
        {"name": "Bone Bruise", "key": "BB", "certainties": ["positive", "blank"]},
        {"name": "Cyst", "key": "Cy", "certainties": ["positive", "negative", "blank"]},
        {"name": "Normal", "key": "NO", "certainties": ["positive", "blank"]},
    ],
    exclusive=[{"label": "Normal", "with": ["Meniscal Tear", "Joint Effusion", "Cyst"]}],
)
"""Keys and none, four, three and two certainties, one rule."""

TANGLED = make_label_set(
    [
        {"name": "ab"},
        {"name": "abc", "key": "a b"},
        {"name": "c", "certainties": ["positive", "blank"]},
    ],
    words={"positive": "no", "negative": "nope", "uncertain": "nop", "blank": "yes"},
)
"""Answer words that are the beginnings of one another; keys of several tokens."""


def word_tokenizer(label_set: LabelSet) -> Any:
    """Every answer word is one token."""
    return train_tokenizer(REPORTS, label_set, 500)


def letter_tokenizer() -> Any:
    """Every byte is one token; it serves any label set."""
    from tokenizers import pre_tokenizers
    from transformers import Qwen2Tokenizer

    letters = [PAD, EOS, TURN, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Qwen2Tokenizer(
        vocab={letter: number for number, letter in enumerate(letters)},
        merges=[],
        unk_token=PAD,
        pad_token=PAD,
        eos_token=EOS,
        additional_special_tokens=[TURN],
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def merging_tokenizer() -> Any:
    """It has no pre-tokenizer, and ``k,`` is one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: number for number, token in enumerate(["<pad>", "<end>", *letters, "k,"])}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[("k", ",")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="<end>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": [TURN, EOS]})
    tokenizer.chat_template = CHATML
    return tokenizer


SIZE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 1024,
}
WINDOW = 24
"""Shorter than any prompt here."""

ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2": ("Qwen2", {"tie_word_embeddings": True}),
    "qwen2, grouped heads": ("Qwen2", {"num_key_value_heads": 2}),
    "qwen2, a window in some layers": (
        "Qwen2",
        {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1},
    ),
    "qwen3": ("Qwen3", {"num_key_value_heads": 1, "head_dim": 16}),
    "llama": ("Llama", {"tie_word_embeddings": False}),
    "llama, bias": ("Llama", {"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 2}),
    "mistral, window": ("Mistral", {"num_key_value_heads": 2, "sliding_window": WINDOW}),
    "mixtral": ("Mixtral", {"num_local_experts": 4, "sliding_window": None}),
    "phi, head with bias": ("Phi", {"tie_word_embeddings": False}),
    "gemma2, no soft cap in attention": (
        "Gemma2",
        {"head_dim": 8, "sliding_window": WINDOW, "attn_logit_softcapping": None},
    ),
    "gemma3": ("Gemma3Text", {"head_dim": 8, "sliding_window": WINDOW}),
    "gpt2": (
        "GPT2",
        {"n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 1024},
    ),
}
"""Architectures that can be read in packs."""

REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma2, soft cap": ("Gemma2", {"head_dim": 8}),
    "cohere, scaled logits": ("Cohere", {"logit_scale": 0.25}),
    "bloom, attention of its own": ("Bloom", {"n_head": 4, "n_layer": 2}),
    "gpt-oss, sinks": ("GptOss", {"head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 1}),
    "llama4, chunks": ("Llama4Text", {"head_dim": 8, "attention_chunk_size": 16}),
}


def make_model(kind: str, vocabulary: int, *, seed: int = 0, spread: float = 0.25) -> Any:
    """A model with random weights, so large that answers differ from report to report."""
    import transformers

    name, own = {**ARCHITECTURES, **REFUSED}[kind]
    config_class = getattr(transformers, f"{name}Config")
    tokens = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0}
    config = config_class(vocab_size=vocabulary, **{**SIZE, **tokens, **own})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.dim() > 1:
                    weight.normal_(0, spread)
                elif weight is getattr(model.get_output_embeddings(), "bias", None):
                    weight.normal_(0, 2)
    return model.eval()


def make_loaded(
    kind: str,
    label_set: LabelSet,
    tokenizer: Any = None,
    *,
    layouts: tuple[str, ...] = BOTH,
    seed: int = 0,
    spread: float = 0.25,
) -> Loaded:
    """A model as :func:`inference.load.load` gives it."""
    tokenizer = tokenizer or word_tokenizer(label_set)
    model = make_model(kind, len(tokenizer), seed=seed, spread=spread)
    return Loaded(
        name=kind,
        model=model,
        tokenizer=tokenizer,
        label_set=label_set,
        task=TaskInfo(label_set.fingerprint, PROMPT_VERSION, layouts, "full", "none"),
        context=1024,
        hashes={},
    )


def prompts_of(loaded: Loaded, texts: Sequence[str]) -> list[Prompt]:
    """Prompts of texts that all fit."""
    written = PromptWriter(loaded, room=1).write(texts)
    assert all(isinstance(item, Prompt) for item in written)
    return [item for item in written if isinstance(item, Prompt)]


def next_probs(loaded: Loaded, sequence: Sequence[int], tokens: Sequence[int]) -> dict[int, float]:
    """Probabilities of the next token among some, by the model's own forward pass."""
    model: Any = loaded.model
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([list(sequence)]), use_cache=False).logits[0, -1]
    chosen = logits[list(tokens)].double().softmax(0).tolist()
    return dict(zip(tokens, chosen, strict=True))


def option_tokens(loaded: Loaded) -> list[tuple[str, list[int], dict[Certainty, list[int]], int]]:
    """Per observation its name, what stands before it in the line, its options, what follows."""

    def encode(text: str) -> list[int]:
        return list(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])

    written = choices(loaded.label_set).slots
    follows = [encode(slot.prefix)[0] for slot in written[1:]] + [encode(END)[0]]
    return [
        (slot.label, encode(slot.prefix), {c: encode(t) for c, t in slot.options.items()}, follow)
        for slot, follow in zip(written, follows, strict=True)
    ]


def choose(
    loaded: Loaded, sequence: list[int], options: Mapping[Certainty, list[int]], follow: int
) -> tuple[Certainty, float]:
    """Token by token the likeliest option behind a sequence, and its probability among all."""
    left = {c: [*tokens, follow] for c, tokens in options.items()}
    written: list[int] = []
    probability = 1.0
    while len(left) > 1:
        nexts = list(dict.fromkeys(tokens[len(written)] for tokens in left.values()))
        token = nexts[0]
        if len(nexts) > 1:
            probs = next_probs(loaded, [*sequence, *written], nexts)
            token = max(nexts, key=probs.__getitem__)
            probability *= probs[token]
        left = {c: t for c, t in left.items() if t[len(written)] == token}
        written.append(token)
    return next(iter(left)), probability


def every_probability(
    loaded: Loaded, sequence: list[int], options: Mapping[Certainty, list[int]], follow: int
) -> dict[Certainty, float]:
    """The probability of every option behind a sequence, each decision asked by itself."""
    closed = {c: [*tokens, follow] for c, tokens in options.items()}
    found = dict.fromkeys(options, 1.0)
    for certainty, tokens in closed.items():
        for length in range(len(tokens)):
            alike = [t for t in closed.values() if t[:length] == tokens[:length]]
            nexts = list(dict.fromkeys(t[length] for t in alike))
            if len(nexts) > 1:
                probs = next_probs(loaded, [*sequence, *tokens[:length]], nexts)
                found[certainty] *= probs[tokens[length]]
    return found


def learn_by_heart(
    loaded: Loaded,
    lessons: Mapping[str, Mapping[str, Certainty]],
    *,
    steps: int,
    enough: float,
) -> None:
    """Teach a model the answer line of each text, until the loss is below ``enough``."""
    rows = []
    prompts = PromptWriter(loaded, room=80).write(list(lessons))
    for prompt, labels in zip(prompts, lessons.values(), strict=True):
        assert isinstance(prompt, Prompt)
        answer = loaded.tokenizer(render(loaded.label_set, labels))["input_ids"]
        rows.append((list(prompt.tokens), [*answer, loaded.tokenizer.eos_token_id]))
    width = max(len(prompt_ids) + len(answer) for prompt_ids, answer in rows)
    tokens = torch.zeros(len(rows), width, dtype=torch.long)
    wanted = torch.full_like(tokens, -100)
    for row, (prompt_ids, answer) in enumerate(rows):
        end = len(prompt_ids) + len(answer)
        tokens[row, :end] = torch.tensor(prompt_ids + answer)
        wanted[row, len(prompt_ids) : end] = torch.tensor(answer)
    torch.manual_seed(0)
    model = loaded.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        loss = model(input_ids=tokens, labels=wanted).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < enough:
            break
