"""Human index codes of Open-i reports -> certainties, by an editable YAML table."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelwright.errors import LabelSetError
from labelwright.io.yaml_lines import Step, YamlFile
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

TABLES = Path(__file__).parents[1] / "tables"
_TOP = ("name", "version", "unlabeled", "labels")
_RULE = ("term", "any", "none")


@dataclass(frozen=True, slots=True)
class CodeRule:
    """A code matches by its term and by qualifiers asked for or forbidden, all casefolded."""

    label: str
    asked: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()

    def fits(self, qualifiers: frozenset[str]) -> bool:
        """Whether a code with this term and these qualifiers says the label."""
        return (not self.asked or bool(self.asked & qualifiers)) and not (
            self.forbidden & qualifiers
        )


@dataclass(frozen=True)
class CodeTable:
    """Which codes make which observation positive.

    Attributes:
        rules: by casefolded term.
        unlabeled: casefolded terms that say that a report was never indexed.
        text: the YAML it came from, for the manifest.
    """

    name: str
    rules: Mapping[str, tuple[CodeRule, ...]]
    unlabeled: frozenset[str]
    text: str = field(repr=False)

    @classmethod
    def load(cls, path: str | Path, label_set: LabelSet) -> CodeTable:
        """Read a table and check its labels against the label set.

        Raises:
            LabelSetError: the file has mistakes (``problems`` lists all with their lines).
        """
        file = YamlFile.read(path)
        rules = _checked(file, label_set)
        by_term: dict[str, list[CodeRule]] = {}
        for term, rule in rules:
            by_term.setdefault(term, []).append(rule)
        return cls(
            name=str(file.value["name"]),
            rules={term: tuple(found) for term, found in by_term.items()},
            unlabeled=frozenset(str(t).casefold() for t in file.value.get("unlabeled") or ()),
            text=Path(path).read_text(encoding="utf-8"),
        )

    @classmethod
    def for_label_set(cls, label_set: LabelSet) -> CodeTable:
        """The shipped table of a label set.

        Raises:
            LabelSetError: none is shipped for it.
        """
        path = TABLES / f"openi-{label_set.kin}.yaml"
        if not path.is_file():
            raise LabelSetError(
                f"no table of Open-i codes is shipped for label set {label_set.name!r}",
                remedy="write one like data_builders/tables/openi-chexpert-14.yaml and give it "
                "with --openi-table",
            )
        return cls.load(path, label_set)

    def labels(self, codes: str, label_set: LabelSet) -> dict[str, Certainty] | None:
        """Certainties of a report from its codes, or ``None`` if it was not indexed.

        Args:
            codes: as the reader gives them: ``Cardiomegaly/mild;Opacity/lung/base``.
        """
        parsed = [_parts(code) for code in codes.split(";") if code.strip()]
        if not parsed or any(term in self.unlabeled for term, _ in parsed):
            return None
        positive = {
            rule.label
            for term, qualifiers in parsed
            for rule in self.rules.get(term, ())
            if rule.fits(qualifiers)
        }
        return {
            name: Certainty.POSITIVE if name in positive else Certainty.BLANK
            for name in label_set.names
        }


def _parts(code: str) -> tuple[str, frozenset[str]]:
    term, *qualifiers = (part.strip().casefold() for part in code.split("/"))
    return term, frozenset(qualifiers)


def _checked(file: YamlFile, label_set: LabelSet) -> list[tuple[str, CodeRule]]:
    what = "mistake in the table of codes"
    if not isinstance(file.value, dict):
        file.problem([], "a table is a mapping; start with name: …")
        file.finish(what)
    value: dict[str, Any] = file.value
    file.unknown_keys([], value, _TOP)
    if not isinstance(value.get("name"), str):
        file.problem(["name"], "'name' is missing; add it")
    if not isinstance(value.get("unlabeled") or [], list):
        file.problem(["unlabeled"], "must be a list of terms; write [No Indexing]")
    if not isinstance(value.get("labels"), dict):
        file.problem(["labels"], "'labels' must map observations to rules; write 'Edema:'")
        file.finish(what)
    rules = []
    for label, items in value["labels"].items():
        path: list[Step] = ["labels", str(label)]
        if label not in label_set.names:
            near = difflib.get_close_matches(str(label), label_set.names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "use its observations"
            file.problem(path, f"{label!r} is not in label set {label_set.name}; {hint}")
        if not isinstance(items, list):
            file.problem(path, f"the rules of {label!r} must be a list; write '- term: …'")
            continue
        for index, item in enumerate(items):
            rules += _rule(file, [*path, index], str(label), item)
    file.finish(what)
    return rules


def _rule(
    file: YamlFile, path: Sequence[Step], label: str, item: object
) -> list[tuple[str, CodeRule]]:
    if not isinstance(item, dict) or not isinstance(item.get("term"), str):
        file.problem(path, "a rule needs a term; write '- term: …'")
        return []
    file.unknown_keys(path, item, _RULE)
    lists = {}
    for key in ("any", "none"):
        found = item.get(key) or []
        if not isinstance(found, list) or not all(isinstance(q, str) for q in found):
            file.problem([*path, key], f"{key!r} must be a list of qualifiers; write [lung]")
            found = []
        lists[key] = frozenset(q.casefold() for q in found)
    rule = CodeRule(label, asked=lists["any"], forbidden=lists["none"])
    return [(item["term"].strip().casefold(), rule)]
