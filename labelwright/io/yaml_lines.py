"""YAML that knows its lines: safe loading, duplicate keys refused, every value traceable."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from labelwright.errors import LabelSetError

Step = str | int
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader of libyaml where PyYAML was built with it: ten times as fast, same values."""
_DEEPEST = 200


class YamlFile:
    """A parsed YAML file and the line of each of its values.

    Attributes:
        value: plain dicts, lists and scalars, as ``yaml.safe_load`` gives.
        problems: ``(line, message)`` collected by :meth:`problem`.
    """

    def __init__(self, text: str, source: str | Path) -> None:
        self.source = str(source)
        self.problems: list[tuple[int, str]] = []
        self._lines: dict[tuple[Step, ...], int] = {}
        try:
            self._refuse_aliases(text)
            loader = _Loader(text)
            node = loader.get_single_node()
            self._walk(node, ())
            self.value: Any = None if node is None else loader.construct_document(node)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            raise LabelSetError(
                f"not valid YAML ({getattr(error, 'problem', None) or 'cannot be parsed'})",
                remedy="fix the syntax near this line",
                source=source,
                row=None if mark is None else mark.line + 1,
            ) from None
        except (RecursionError, ValueError):
            raise LabelSetError(
                "not usable YAML (nested too deep or a bad scalar)",
                remedy="simplify it",
                source=source,
            ) from None

    def _refuse_aliases(self, text: str) -> None:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise LabelSetError(
                    "aliases (*name) are not supported",
                    remedy="write the value out",
                    source=self.source,
                    row=event.start_mark.line + 1 if event.start_mark else None,
                )
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise RecursionError

    @classmethod
    def read(cls, path: str | Path) -> YamlFile:
        """Read a UTF-8 file.

        Raises:
            LabelSetError: it is missing, not UTF-8 or not YAML.
        """
        try:
            return cls(Path(path).read_text(encoding="utf-8"), path)
        except OSError as error:
            raise LabelSetError(
                f"cannot be read ({error.strerror})", remedy="check the path", source=path
            ) from None
        except UnicodeDecodeError:
            raise LabelSetError("not UTF-8", remedy="save it as UTF-8", source=path) from None

    def line(self, path: Sequence[Step]) -> int:
        """The 1-based line of the value at ``path``, or of its nearest parent."""
        steps = tuple(path)
        while steps and steps not in self._lines:
            steps = steps[:-1]
        return self._lines.get(steps, 1)

    def problem(self, path: Sequence[Step], message: str) -> None:
        """Note a mistake at ``path``; ``message`` ends with its remedy."""
        self.problems.append((self.line(path), message))

    def unknown_keys(self, path: Sequence[Step], value: object, allowed: Iterable[str]) -> None:
        """Note every key of ``value`` that is not allowed, with the nearest one that is."""
        if not isinstance(value, dict):
            return
        names = list(allowed)
        for key in value:
            if key not in names:
                near = difflib.get_close_matches(str(key), names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(names)}"
                self.problem([*path, str(key)], f"unknown key {key!r}; {hint}")

    def finish(self, what: str) -> None:
        """Raise one error that lists all noted problems in the order of their lines.

        Raises:
            LabelSetError: there is at least one.
        """
        if not self.problems:
            return
        lines = tuple(f"{self.source}:{line}: {message}" for line, message in sorted(self.problems))
        first, message = min(self.problems)
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        raise LabelSetError(
            f"{what}: {message}{more}", source=self.source, row=first, problems=lines
        )

    def _walk(self, node: yaml.Node | None, path: tuple[Step, ...]) -> None:
        if node is None:
            return
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                name = str(key.value)
                self._lines[(*path, name)] = key.start_mark.line + 1
                if name in seen:
                    self.problem([*path, name], f"key {name!r} appears twice; delete one")
                seen.add(name)
                self._walk(value, (*path, name))
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._walk(item, (*path, index))
