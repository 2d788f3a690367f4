"""One table, four forms: the page's HTML, CSV, LaTeX and JSON all come from :class:`Table`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from eval.page.plots import signed
from eval.stats.counts import Bools, Floats
from eval.stats.estimates import Estimate
from labelwright.io.delimited import FORMULA

Kind = Literal["text", "wrap", "count", "tenth", "score", "delta", "p", "percent"]
Value = str | int | float | Estimate | None
"""A cell; ``None`` is "not defined" and shown as a dash, never as a number."""


def defined(values: Floats, known: Bools) -> list[Value]:
    """An array as cells, those that are not known as not defined."""
    pairs = zip(values.tolist(), known.tolist(), strict=True)
    return [value if shown else None for value, shown in pairs]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        title: its head; ``group`` stands above neighbouring columns of the same group.
        kind: how its values are written.
        colour: class of a labeler's colour, shown as a dot before the title.
        compare: columns of the same ``compare`` have the best value of each row set bold.
    """

    title: str
    kind: Kind = "text"
    group: str = ""
    colour: str = ""
    compare: str = ""


@dataclass(frozen=True)
class Table:
    """A titled table with its signature.

    Attributes:
        name: the file name without its ending.
        foot: the mean, or another row that sorting leaves in place.
        signature: settings and version behind every score in it.
        keys: classes of the labelers' colours, where each row is a labeler.
        sortable: whether the page lets readers sort it.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    caption: str = ""
    foot: tuple[Value, ...] = ()
    signature: str = ""
    sortable: bool = True
    keys: tuple[str, ...] = ()
    best: frozenset[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        everything = [*self.rows, *([self.foot] if self.foot else [])]
        found = {(r, c) for r, row in enumerate(everything) for c in _best(self.columns, row)}
        object.__setattr__(self, "best", frozenset(found))

    @classmethod
    def of_columns(
        cls,
        name: str,
        title: str,
        columns: Sequence[tuple[Column, Sequence[Value]]],
        *,
        foot: bool = False,
        **more: Any,
    ) -> Table:
        """A table given column by column.

        Args:
            foot: whether the last value of every column is the foot's.
            more: further fields.
        """
        heads, values = zip(*columns, strict=True)
        rows = list(zip(*values, strict=True))
        last = rows.pop() if foot else ()
        return cls(name, title, heads, tuple(rows), foot=last, **more)

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Group heads with the number of columns each spans; empty where there are none."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and found[-1][0] == column.group:
                found[-1] = (column.group, found[-1][1] + 1)
            else:
                found.append((column.group, 1))
        return found if any(name for name, _ in found) else []

    def to_csv(self) -> str:
        """RFC 4180 text: numbers with six decimals, intervals in two columns of their own."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        estimates = [
            any(isinstance(row[c], Estimate) for row in self._all())
            for c in range(len(self.columns))
        ]
        head: list[str] = []
        for column, wide in zip(self.columns, estimates, strict=True):
            title = f"{column.group} {column.title}".strip()
            head += [title, f"{title} low", f"{title} high"] if wide else [title]
        signed_by = ["signature"] if self.signature else []
        writer.writerow([*map(unformula, head), *signed_by])
        for row in self._all():
            cells: list[str] = []
            for value, wide in zip(row, estimates, strict=True):
                cells += _csv_cells(value, wide)
            writer.writerow([*cells, *([self.signature] if self.signature else [])])
        return out.getvalue()

    def to_latex(self) -> str:
        """A booktabs table; the best value of each row is bold."""
        spec = "".join("l" if c.kind in {"text", "wrap"} else "r" for c in self.columns)
        lines = [
            *([f"% {self.signature}"] if self.signature else []),
            "% needs \\usepackage{booktabs}",
            "\\begin{table}",
            f"\\caption{{{latex(self.title)}. {latex(self.caption)}}}",
            f"\\label{{tab:{self.name}}}",
            f"\\begin{{tabular}}{{{spec}}}",
            "\\toprule",
        ]
        if self.groups:
            lines += _latex_groups(self.groups)
        lines += [_latex_row([latex(c.title) for c in self.columns]), "\\midrule"]
        for index, row in enumerate(self._all()):
            if self.foot and index == len(self.rows):
                lines.append("\\midrule")
            cells = [
                _latex_cell(column, value, bold=(index, place) in self.best)
                for place, (column, value) in enumerate(zip(self.columns, row, strict=True))
            ]
            lines.append(_latex_row(cells))
        return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}", ""])

    def _all(self) -> list[tuple[Value, ...]]:
        return [*self.rows, *([self.foot] if self.foot else [])]


def main_text(kind: Kind, value: Value) -> str:
    """A value as the page and LaTeX write it, without its interval."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    number = value.value if isinstance(value, Estimate) else value
    if kind == "count":
        return f"{int(number):,}"
    if kind == "tenth":
        return f"{number:,.1f}"
    if kind == "p":
        return p_text(float(number))
    if kind == "percent":
        return f"{100 * number:.1f} %"
    return signed(float(number)) if kind == "delta" else f"{number:.3f}"


def span_text(kind: Kind, value: Value) -> str:
    """The interval of an estimate in brackets, or nothing."""
    if not isinstance(value, Estimate) or value.low is None or value.high is None:
        return ""
    low, high = main_text(kind, value.low), main_text(kind, value.high)
    return f"[{low}, {high}]"


def p_text(p: float) -> str:
    """``0.031``, ``< 0.001``, ``> 0.99``."""
    return "< 0.001" if p < 0.001 else "> 0.99" if p > 0.99 else f"{p:.3f}"


def p_equals(p: float) -> str:
    """``p = 0.031``, ``p < 0.001``."""
    text = p_text(p)
    return f"p {text}" if text[0] in "<>" else f"p = {text}"


def sort_key(value: Value) -> str:
    """What the page sorts a cell by; empty for cells without a value."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return repr(float(value.value if isinstance(value, Estimate) else value))


def sentence(text: str) -> str:
    """``text`` with a capital at its beginning."""
    return f"{text[:1].upper()}{text[1:]}"


def unformula(text: str) -> str:
    """``text`` with an apostrophe before it if a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def latex(text: str) -> str:
    """``text`` with LaTeX's special characters escaped."""
    table = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    table |= {c: f"\\{c}" for c in "&%$#_{}"}
    table |= {"−": "$-$", "≥": r"$\geq$", "±": r"$\pm$", "Δ": r"$\Delta$", "κ": r"$\kappa$"}
    table |= {"–": "--", "<": "$<$", ">": "$>$", "×": r"$\times$"}
    return re.sub(".", lambda match: table.get(match[0], match[0]), text.replace("\n", " "))


def _best(columns: Sequence[Column], row: Sequence[Value]) -> list[int]:
    groups: dict[str, list[tuple[float, int]]] = {}
    for place, (column, value) in enumerate(zip(columns, row, strict=True)):
        if column.compare and isinstance(value, int | float | Estimate):
            number = value.value if isinstance(value, Estimate) else value
            groups.setdefault(column.compare, []).append((round(float(number), 3), place))
    found = []
    for values in groups.values():
        top = max(number for number, _ in values)
        winners = [place for number, place in values if number == top]
        if len(winners) < len(values):
            found += winners
    return found


def _csv_cells(value: Value, wide: bool) -> list[str]:
    if isinstance(value, Estimate):
        parts = (value.value, value.low, value.high)
        return ["" if part is None else f"{part:.6f}" for part in parts]
    if isinstance(value, str):
        cell = unformula(value)
    elif value is None:
        cell = ""
    else:
        cell = str(value) if isinstance(value, int) else f"{value:.6g}"
    return [cell, "", ""] if wide else [cell]


def _latex_groups(groups: Sequence[tuple[str, int]]) -> list[str]:
    cells, rules, start = [], [], 1
    for name, span in groups:
        cells.append(f"\\multicolumn{{{span}}}{{c}}{{{latex(name)}}}" if name else "&" * (span - 1))
        if name:
            rules.append(f"\\cmidrule(lr){{{start}-{start + span - 1}}}")
        start += span
    return [" & ".join(cells) + r" \\", " ".join(rules)]


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_cell(column: Column, value: Value, *, bold: bool) -> str:
    text = latex(main_text(column.kind, value))
    span = span_text(column.kind, value)
    whole = f"\\textbf{{{text}}}" if bold else text
    return f"{whole} {{\\scriptsize {latex(span)}}}" if span else whole
