"""Prompts put together from a frame have the tokens of whole prompts."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.prompts import PROBES, PromptFrame
from labelwright.label_set import LabelSet
from labelwright.prompt import messages
from sft.scratch import train_tokenizer

LABELS = LabelSet.load("chexpert-14")
TOKENIZER: Any = train_tokenizer(["No effusion.", "Heart size is normal."], LABELS, 700)
ADDED = {str(token) for token in TOKENIZER.added_tokens_decoder.values()}
TRIMMING = TOKENIZER.chat_template.replace("message['content']", "message['content'].strip()")


def render(template: str) -> Callable[[str], str]:
    return lambda text: str(
        TOKENIZER.apply_chat_template(
            messages(LABELS, text),
            tokenize=False,
            add_generation_prompt=True,
            chat_template=template,
        )
    )


class Encode:
    """Token ids, and how many letters were tokenized."""

    def __init__(self) -> None:
        self.letters = 0

    def __call__(self, texts: list[str]) -> list[list[int]]:
        self.letters = sum(map(len, texts))
        return list(TOKENIZER(texts, add_special_tokens=False)["input_ids"])


@pytest.fixture(scope="module")
def frame() -> PromptFrame:
    return PromptFrame(render(TOKENIZER.chat_template), Encode(), ADDED)


@settings(max_examples=200)
@given(st.text(min_size=1, max_size=60).filter(lambda t: not any(a in t for a in ADDED)))
def test_any_text_has_the_tokens_of_its_whole_prompt(frame: PromptFrame, text: str) -> None:
    whole = render(TOKENIZER.chat_template)(text)
    assert frame.tokens([text]) == Encode()([whole])


def test_the_instruction_is_not_tokenized_again() -> None:
    encode = Encode()
    frame = PromptFrame(render(TOKENIZER.chat_template), encode, ADDED)
    assert len(frame.tokens(["Clear.", "Normal."])) == 2
    each = len("<|im_start|>user\nNormal.<|im_end|>")
    assert encode.letters == 2 * each - 1


def test_a_template_that_trims_is_rendered_for_every_report() -> None:
    encode = Encode()
    frame = PromptFrame(render(TRIMMING), encode, ADDED)
    for text in (" spaces around \n", *PROBES):
        assert frame.tokens([text]) == Encode()([render(TRIMMING)(text)])
    frame.tokens(["Normal."])
    assert encode.letters == len(render(TRIMMING)("Normal."))


def test_without_added_tokens_the_whole_prompt_is_tokenized() -> None:
    plain = render("{% for m in messages %}{{ m['role'] + ': ' + m['content'] + ' ' }}{% endfor %}")
    encode = Encode()
    frame = PromptFrame(plain, encode, ())
    assert frame.tokens(["s fine"]) == Encode()([plain("s fine")])
    assert encode.letters == len(plain("s fine"))


def test_a_template_that_repeats_the_report() -> None:
    twice = render("{% for m in messages %}{{ m['content'] + m['content'] }}{% endfor %}")
    frame = PromptFrame(twice, Encode(), ADDED)
    assert frame.tokens(["Clear."]) == Encode()([twice("Clear.")])
