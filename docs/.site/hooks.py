"""The site: pages made from the code (every flag, every public name); what screen readers need."""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

from mkdocs.structure.files import File, Files


def on_files(files: Files, config: Any) -> Files:
    """Add the two pages of reference."""
    for name, text in (("reference-flags.md", flags_page()), ("reference-python.md", api_page())):
        files.append(File.generated(config, name, content=text))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """An empty cell at the head of a column is no heading."""
    return re.sub(r"<th( [^>]*)?></th>", "<td></td>", html)


def on_post_page(output: str, **_: Any) -> str:
    """The theme gives its search dialog no name."""
    return output.replace('role="dialog">', 'role="dialog" aria-label="Search">')


def on_post_template(output_content: str, **_: Any) -> str:
    """The same for the page of what is not found."""
    return on_post_page(output_content)


def flags_page() -> str:
    """Every command with every flag, from the parsers."""
    from labelwright.cli import parser

    lines = ["# Every flag", "", "Made from the parsers of this version.", ""]
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help for choice in action._choices_actions}
            for name, sub in action.choices.items():
                lines += [f"## {name}", "", f"{helps.get(name, '')}.", "", *_flags(sub, name), ""]
    return "\n".join(lines)


def _flags(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, sub in action.choices.items():
                yield from (f"### {name} {verb}", "", *_flags(sub, f"{name} {verb}"), "")
            continue
        if action.help in (None, argparse.SUPPRESS):
            continue
        words = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        value = "" if action.nargs == 0 or not action.option_strings else f" {_value(action)}"
        text = " ".join(str(action.help).replace("%%", "%").split()).replace("|", "\\|")
        shown = f"{words}{value}".replace("|", "\\|")
        rows.append(f"| `{shown}` | {text.replace('<', '&lt;')} |")
    if rows:
        yield from ("| flag | |", "|---|---|", *rows)
    if parser.epilog and "--" in parser.epilog:
        yield from ("", "```", parser.epilog.strip(), "```")


def _value(action: argparse.Action) -> str:
    if action.metavar:
        return str(action.metavar)
    if action.choices:
        return "|".join(map(str, action.choices))
    return action.dest.upper()


def api_page() -> str:
    """The public names with their signatures and docstrings."""
    package = importlib.import_module("labelwright")
    lines = ["# Public names", "", "`import labelwright` gives these; all else may change.", ""]
    for name in package.__all__:
        found = getattr(package, name)
        if name.startswith("__") or inspect.ismodule(found):
            continue
        lines += [f"## {name}", "", "```python", _signature(name, found), "```", ""]
        lines += ["```text", inspect.getdoc(found) or "", "```", ""]
        for method, value in vars(found).items() if inspect.isclass(found) else ():
            if method.startswith("_") or not callable(value) or not inspect.isfunction(value):
                continue
            lines += ["```python", _signature(f"{name}.{method}", value), "```", ""]
            lines += ["```text", inspect.getdoc(value) or "", "```", ""]
    return "\n".join(lines)


def _signature(name: str, found: Any) -> str:
    try:
        return f"{name}{inspect.signature(found)}"
    except (TypeError, ValueError):
        return name
