"""Flags are fields: declared once, read into a frozen object, refused where they do nothing."""

from __future__ import annotations

import argparse
from dataclasses import FrozenInstanceError, dataclass

import pytest

from labelwright.errors import ConfigError
from labelwright.options import ONE_OF, Options, flag, names, switch


@dataclass(frozen=True, kw_only=True)
class Base(Options):
    size: int = flag("how large", default=3, type=int, metavar="N")


@dataclass(frozen=True, kw_only=True)
class Made(Base):
    form: str = flag("what is made", place=True, choices=("cup", "plate"))
    colour: tuple[str, ...] = flag("paint", group="looks", default=(), action="append")
    handle: str | None = flag("what to hold it by", only=("cup",))
    glaze: bool = switch("shine", beside="colour", group="looks")
    text: str | None = flag("words on it", group=ONE_OF)
    blank: bool | None = switch("no words", default=None, group=ONE_OF)


def refuse(made: Made) -> None:
    made.refuse_others(made.form, f"{made.form}s")
    made.refuse_idle()


def read(*words: str) -> Made:
    parser = argparse.ArgumentParser()
    Made.add_flags(parser)
    return Made.from_flags(parser.parse_args(words))


def test_a_command_line_becomes_a_frozen_object() -> None:
    made = read("cup", "--colour", "red", "--colour", "blue", "--text", "tea")
    assert made == Made(form="cup", colour=("red", "blue"), text="tea")
    assert (made.size, made.glaze, made.blank, made.handle) == (3, False, None, None)
    with pytest.raises(FrozenInstanceError):
        made.size = 4  # type: ignore[misc]
    given = [name for name in Made.names() if made.given(name)]
    assert given == ["form", "colour", "text"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plate", "--handle", "x", "--blank"), "--handle does not apply to plates; remove it"),
        (("cup", "--glaze", "--blank"), "--glaze is for --colour; leave --glaze out"),
    ],
)
def test_a_flag_that_does_nothing_is_refused(words: tuple[str, ...], told: str) -> None:
    made = read(*words)
    with pytest.raises(ConfigError) as error:
        refuse(made)
    assert str(error.value) == told


@pytest.mark.parametrize("words", [("cup",), ("cup", "--text", "a", "--blank"), ("pot", "--blank")])
def test_exactly_one_of_a_group_and_only_choices(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        read(*words)


def test_help_has_each_flag_under_its_heading() -> None:
    parser = argparse.ArgumentParser()
    Made.add_flags(parser)
    looks = parser.format_help().partition("looks:")[2]
    assert "--colour" in looks
    assert "--glaze" in looks
    assert "--size" not in looks


def test_names_with_commas_inside() -> None:
    assert names("a, b\\,c,a") == ("a", "b,c")
