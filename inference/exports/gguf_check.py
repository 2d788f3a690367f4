"""Does an exported GGUF file answer like the model it came from? Asked of llama.cpp itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.load import Loaded, load
from inference.prompts import Prompt, PromptWriter, answer_room, prompt_text
from labelwright.errors import CheckpointError, MissingExtraError
from labelwright.text.special_tokens import break_up, spelled_out

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Checked:
    """How far both agree.

    Attributes:
        reports: those that fit into the context; ``left_out`` did not.
        same_tokens: reports whose prompt llama.cpp cuts into the same tokens.
        same_answers: reports whose greedy answer is the same to the last token.
        decisions: tokens of all answers; ``same_decisions`` of them are llama.cpp's choice too,
            given the same tokens before.
        difference: the largest difference of a logit at any of these places.
    """

    reports: int
    left_out: int
    same_tokens: int
    same_answers: int
    decisions: int
    same_decisions: int
    difference: float


def check_gguf(
    folder: str | Path, file: str | Path, texts: Sequence[str], *, threads: int | None = None
) -> Checked:
    """Compare the folder's model in float32 with the file in llama.cpp, both on the CPU.

    The folder's model answers greedily; llama.cpp reads prompt and answer and says at every
    token which one it would have written. Keys and values are kept in float32, since
    llama.cpp's float16 would add a difference that is not the file's.

    Args:
        threads: of llama.cpp; as many as PyTorch uses if not given.

    Raises:
        CheckpointError: the folder or the file cannot be loaded.
        MissingExtraError: llama-cpp-python is not installed.
    """
    import numpy as np

    loaded = load(folder, device="cpu", dtype="float32")
    writer = PromptWriter(loaded, room=answer_room(loaded))
    written = writer.write(list(texts))
    special = spelled_out(map(str, loaded.tokenizer.added_tokens_decoder.values()))
    kept = [(p, t) for p, t in zip(written, texts, strict=True) if isinstance(p, Prompt)]
    longest = max((len(prompt.tokens) for prompt, _ in kept), default=0)
    llama = _llama(file, longest + answer_room(loaded), threads)
    same_tokens = same_answers = decisions = same_decisions = 0
    difference = 0.0
    for prompt, text in kept:
        own = list(prompt.tokens)
        asked = prompt_text(loaded, break_up(special, text)).encode()
        same_tokens += llama.tokenize(asked, add_bos=False, special=True) == own
        answer, logits = _greedy(loaded, own)
        other = _scores(llama, own + answer[:-1])[len(own) - 1 :]
        picked = np.asarray(other).argmax(axis=-1)
        agree = int((picked == np.asarray(answer)).sum())
        decisions += len(answer)
        same_decisions += agree
        same_answers += agree == len(answer)
        difference = max(difference, float(np.abs(other - logits).max()))
    return Checked(
        reports=len(kept),
        left_out=len(texts) - len(kept),
        same_tokens=same_tokens,
        same_answers=same_answers,
        decisions=decisions,
        same_decisions=same_decisions,
        difference=difference,
    )


def need_llama() -> None:
    """Nothing, if llama-cpp-python is there.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import llama_cpp  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            "llama-cpp-python", "the comparison with llama.cpp", "llama-cpp"
        ) from None


def _llama(file: str | Path, context: int, threads: int | None) -> Any:
    need_llama()
    import llama_cpp
    import torch

    threads = threads or torch.get_num_threads()
    try:
        return llama_cpp.Llama(
            str(file),
            n_ctx=max(context, 32),
            n_batch=max(context, 32),
            n_threads=threads,
            n_threads_batch=threads,
            logits_all=True,
            type_k=llama_cpp.GGML_TYPE_F32,
            type_v=llama_cpp.GGML_TYPE_F32,
            verbose=False,
        )
    except ValueError:
        raise CheckpointError(
            "llama.cpp cannot load the file", remedy="export it again", source=file
        ) from None


def _greedy(loaded: Loaded, prompt: list[int]) -> tuple[list[int], NDArray[np.float32]]:
    """The answer's tokens, its end included, and the logits that each was chosen from."""
    import torch
    from transformers import GenerationConfig

    config: Any = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        max_new_tokens=answer_room(loaded),
        eos_token_id=loaded.tokenizer.eos_token_id,
        pad_token_id=loaded.tokenizer.eos_token_id,
    )
    loaded.model.generation_config = config
    tokens = torch.tensor([prompt])
    with torch.inference_mode():
        output: Any = loaded.model.generate(
            tokens, attention_mask=torch.ones_like(tokens), generation_config=config
        )
        logits = loaded.model(input_ids=output[:, :-1]).logits[0, len(prompt) - 1 :]
    return output[0, len(prompt) :].tolist(), logits.float().numpy()


def _scores(llama: Any, tokens: list[int]) -> NDArray[np.float32]:
    import numpy as np

    llama.reset()
    llama.eval(tokens)
    return np.array(llama.scores[: len(tokens)], dtype=np.float32)
