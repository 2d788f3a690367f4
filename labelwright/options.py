"""A command's flags as the fields of a frozen class: declared once, read once, at the door."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Self

from labelwright.errors import ConfigError

HOW, GROUP, BESIDE, USE = "how", "group", "beside", "use"
ONLY, NEEDS, READ = "only", "needs", "read"
ONE_OF = "one of"
"""The group of flags of which exactly one is given."""


def flag(
    said: str,
    *,
    group: str = "",
    beside: str | Sequence[str] = (),
    use: str = "",
    only: Sequence[str] = (),
    needs: str = "",
    default: Any = None,
    **how: Any,
) -> Any:
    """A field that is a flag, named after it; with ``place=True`` a place without dashes.

    Args:
        said: its help.
        group: the heading that help puts it under.
        beside: fields or properties without any of which the flag would do nothing; ``use`` names
            them to the user, where they are no flags.
        only: forms, verbs or ways of the command that take it; all where there are none.
        needs: what must be possible for it to do anything; a word that its command knows.
        default: where it is not given; a list of values is a tuple.
        how: what else ``ArgumentParser.add_argument`` takes.
    """
    names = (beside,) if isinstance(beside, str) else tuple(beside)
    told = {HOW: {"help": said, **how}, GROUP: group, BESIDE: names, USE: use}
    told |= {ONLY: tuple(only), NEEDS: needs}
    if default is None and (how.get("required") or how.get("place")):
        return field(metadata=told)
    return field(default=default, metadata=told)


def switch(said: str, *, default: bool | None = False, **more: Any) -> Any:
    """A flag without a value."""
    return flag(said, action="store_true", default=default, **more)


def read_by(read: Callable[[argparse.Namespace], Any]) -> Any:
    """A field that is read from flags which stand elsewhere."""
    return field(metadata={READ: read})


def as_flag(name: str) -> str:
    """A field as the flag of the command line; one that Python has a word for ends with ``_``."""
    return "FILE" if name == "files" else f"--{name.rstrip('_').replace('_', '-')}"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What one command was told; its subclasses declare the flags.

    A subclass may say ``group``, ``beside``, ``use``, ``only`` and ``needs`` once for all flags of
    its own that do not say it themselves: ``class Served(Options, group="server", beside="url")``.
    """

    _usual: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **usual: Any) -> None:
        super().__init_subclass__()
        cls._usual = usual

    @classmethod
    def _says(cls, one: Any, key: str) -> Any:
        """What a field, or else the class that declares it, says."""
        owner = next(c for c in cls.__mro__ if one.name in vars(c).get("__annotations__", {}))
        usual = getattr(owner, "_usual", {}) if HOW in one.metadata else {}
        return one.metadata.get(key) or usual.get(key, ())

    @classmethod
    def add_flags(cls, parser: argparse.ArgumentParser) -> None:
        """Declare the flags, group by group."""
        groups: dict[str, Any] = {"": parser}
        for one in fields(cls):
            if HOW not in one.metadata:
                continue
            group, how = cls._says(one, GROUP) or "", dict(one.metadata[HOW])
            if group not in groups and group == ONE_OF:
                groups[group] = parser.add_mutually_exclusive_group(required=True)
            elif group not in groups:
                groups[group] = parser.add_argument_group(group)
            if how.get("nargs") == "*":
                how["default"] = None  # else argparse says that it is required
            usual = one.default not in (MISSING, None, ())
            if usual or how.get("action") == "store_true":
                how["default"] = one.default
            if how.pop("place", False):
                groups[group].add_argument(one.name, **how)
            else:
                groups[group].add_argument(as_flag(one.name), dest=one.name, **how)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of its fields."""
        return tuple(one.name for one in fields(cls))

    @classmethod
    def from_flags(cls, arguments: argparse.Namespace) -> Self:
        """The options that a command line gives."""
        return cls(**{one.name: _value(one, arguments) for one in fields(cls)})

    def given(self, name: str) -> bool:
        """Whether a flag says something else than its default."""
        value = getattr(self, name)
        usual = next(one.default for one in fields(self) if one.name == name)
        return bool(value) if usual is MISSING else bool(value != usual)

    def refuse(self, names: Iterable[str], why: str, *, remedy: str = "leave {} out") -> None:
        """Refuse each of these flags that is given.

        Raises:
            ConfigError: one is; ``why`` goes on behind its name.
        """
        for name in names:
            if self.given(name):
                word = as_flag(name)
                raise ConfigError(f"{word} {why}", remedy=remedy.format(word))

    def strangers(self, way: str) -> list[str]:
        """Flags that only other ways of the command take."""
        told = {one.name: self._says(one, ONLY) for one in fields(self)}
        return [name for name, only in told.items() if only and way not in only]

    def refuse_others(self, way: str, noun: str) -> None:
        """Refuse :meth:`strangers`.

        Raises:
            ConfigError: one is given.
        """
        self.refuse(self.strangers(way), f"does not apply to {noun}", remedy="remove it")

    def needing(self) -> dict[str, str]:
        """What fields need that can be given only where something is possible."""
        told = {one.name: self._says(one, NEEDS) for one in fields(self)}
        return {name: str(need) for name, need in told.items() if need}

    def refuse_idle(self) -> None:
        """Refuse flags that would do nothing without another.

        Raises:
            ConfigError: there is one: the user expects something else.
        """
        for one in fields(self):
            beside = self._says(one, BESIDE)
            if beside and not any(getattr(self, other) for other in beside):
                use = self._says(one, USE) or " and ".join(map(as_flag, beside))
                self.refuse((one.name,), f"is for {use}")


def _value(one: Any, arguments: argparse.Namespace) -> Any:
    if READ in one.metadata:
        return one.metadata[READ](arguments)
    value = getattr(arguments, one.name)
    if value is None and one.default is not MISSING:
        return one.default
    return tuple(value) if isinstance(value, list) else value


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number of at least 1")
    return int(text)


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return value


def seed(text: str) -> int:
    """A whole number that every random generator takes."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError("must be a whole number from 0 to 4294967295")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Names divided by commas, each once; a name with a comma in it is written ``\\,``."""
    parts = [part.replace("\0", ",").strip() for part in text.replace("\\,", "\0").split(",")]
    if not all(parts):
        raise argparse.ArgumentTypeError("an empty name between commas")
    return tuple(dict.fromkeys(parts))
