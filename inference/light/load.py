"""When a model is read with NumPy alone, and what is loaded for it.

The tokenizer of a model folder without transformers: the same tokens, the same chat template.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.light.model import LightModel
from labelwright.errors import CheckpointError

PLAIN_CLASSES = frozenset({"Qwen2Tokenizer", "PreTrainedTokenizerFast", "TokenizersBackend"})
"""Tokenizer classes that add nothing to what ``tokenizer.json`` says."""
SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token")


class LightTokenizer:
    """As much of a tokenizer of transformers as prompts need.

    Attributes:
        added_tokens_decoder: added tokens by id.
        all_special_tokens: those that texts must not spell out.
    """

    is_fast = True

    def __init__(self, backend: Any, settings: Mapping[str, Any], template: str) -> None:
        self._backend = backend
        self.chat_template = template
        self.added_tokens_decoder: dict[int, str] = {
            number: token.content for number, token in backend.get_added_tokens_decoder().items()
        }
        self._named = {
            name: _content(settings[name]) for name in SPECIAL if settings.get(name) is not None
        }
        more = settings.get("extra_special_tokens") or settings.get("additional_special_tokens")
        extra = [_content(token) for token in more or ()]
        self.all_special_tokens = list(dict.fromkeys([*self._named.values(), *extra]))
        self._template: Any = None

    @classmethod
    def load(cls, folder: Path) -> LightTokenizer | None:
        """The tokenizer of a folder; ``None`` where it needs more than is done here."""
        from tokenizers import Tokenizer

        try:
            settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
            template = folder / "chat_template.jinja"
            chat = (
                template.read_text(encoding="utf-8")
                if template.is_file()
                else settings["chat_template"]
            )
            if settings["tokenizer_class"] not in PLAIN_CLASSES or not isinstance(chat, str):
                return None
            backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
            return cls(backend, settings, chat)
        except Exception:  # noqa: BLE001  of every kind; who reads it with transformers says which
            return None

    def __call__(
        self, text: str | Sequence[str], *, add_special_tokens: bool = True, verbose: bool = True
    ) -> dict[str, Any]:
        """Token ids of one text, or of each, under ``input_ids``."""
        del verbose
        if isinstance(text, str):
            return {
                "input_ids": self._backend.encode(text, add_special_tokens=add_special_tokens).ids
            }
        encoded = self._backend.encode_batch_fast(list(text), add_special_tokens=add_special_tokens)
        return {"input_ids": [one.ids for one in encoded]}

    def get_vocab(self) -> dict[str, int]:
        """Every token and its id."""
        vocabulary: dict[str, int] = self._backend.get_vocab(with_added_tokens=True)
        return vocabulary

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        tokenize: bool = False,
        add_generation_prompt: bool = False,
    ) -> str:
        """The chat as the model reads it, in transformers' sandbox for templates.

        Raises:
            jinja2.TemplateError: the template refuses the chat.
            CheckpointError: it cannot be read.
        """
        if tokenize:
            raise ValueError("only the text of the prompt is made here")
        if self._template is None:
            self._template = _compiled(self.chat_template)
        return str(
            self._template.render(
                messages=messages, add_generation_prompt=add_generation_prompt, **self._named
            )
        )


def _content(token: Any) -> str:
    """A special token as settings give it: its text, or an object that has it."""
    return str(token["content"] if isinstance(token, Mapping) else token)


def _compiled(template: str) -> Any:
    """As ``transformers.utils.chat_template_utils`` sets templates up."""
    from jinja2 import TemplateError, TemplateSyntaxError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    made.globals["raise_exception"] = refuse
    try:
        return made.from_string(template)
    except TemplateSyntaxError as error:
        raise CheckpointError(
            f"the chat template cannot be read ({type(error).__name__})",
            remedy="restore chat_template.jinja from the model's own folder",
        ) from None


NEEDED = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
GPU_FILES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What Linux shows where there is a GPU that torch may know how to use."""


def light(
    folder: Path, *, device: str, dtype: str, quantize: str | None
) -> tuple[LightModel, LightTokenizer] | None:
    """Model and tokenizer read with NumPy; ``None`` where torch has to do it.

    That is so for a device other than the CPU, for other types than float32, and for all models
    but small ones of the two architectures of :mod:`inference.light.model`.
    """
    if device == "auto":
        device = "gpu" if _maybe_a_gpu() else "cpu"
    if device != "cpu" or dtype not in ("auto", "float32") or quantize is not None:
        return None
    if not all((folder / name).is_file() for name in NEEDED):
        return None
    model = LightModel.load(folder)
    tokenizer = None if model is None else LightTokenizer.load(folder)
    return None if model is None or tokenizer is None else (model, tokenizer)


def _maybe_a_gpu() -> bool:
    return sys.platform == "darwin" or any(Path(name).exists() for name in GPU_FILES)
