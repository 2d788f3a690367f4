"""YAML files: the values are PyYAML's, every value has its line, hostile files end in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from labelwright.errors import LabelSetError
from labelwright.io.yaml_lines import YamlFile

ROOT = Path(__file__).parents[3]
SHIPPED = [
    path
    for folder in ("labelwright", "baselines", "data_builders", "sft")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_values_are_those_of_the_plain_loader(path: Path) -> None:
    assert YamlFile.read(path).value == yaml.safe_load(path.read_text(encoding="utf-8"))


def test_every_value_has_its_line() -> None:
    file = YamlFile("# first\na: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n\ne: |\n  long\n", "f.yaml")
    assert file.value == {"a": 1, "b": ["x", {"c": 2, "d": 3}], "e": "long\n"}
    places = ([], ["a"], ["b", 0], ["b", 1], ["b", 1, "d"], ["e"], ["b", 9, "none"])
    assert [file.line(place) for place in places] == [2, 2, 4, 5, 6, 8, 3]


HOSTILE = {
    "an alias": ("a: &x 1\nb: [*x]\n", "f.yaml:2: aliases (*name) are not supported"),
    "an alias of nothing": ("a: *b", "f.yaml:1: aliases (*name) are not supported"),
    "lists in lists": ("- " * 3000, "nested too deep"),
    "mappings in mappings": ("{a: " * 3000, "nested too deep"),
    "more brackets than anybody reads": ("[" * 100_000, "nesting depth"),
    "code": ("a: !!python/object:os.system x", "f.yaml:1: not valid YAML"),
    "two documents": ("a: 1\n---\nb: 2", "f.yaml:2: not valid YAML"),
    "no such day": ("a: 2020-13-45", "a bad scalar"),
    "NUL": ('a: "\0"', "not valid YAML"),
    "half a list": ("a: [1\nb: 2", "not valid YAML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_in_one_line(name: str) -> None:
    text, told = HOSTILE[name]
    with pytest.raises(LabelSetError) as caught:
        YamlFile(text, "f.yaml")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_appears_twice_is_told_with_its_line() -> None:
    file = YamlFile("a: 1\nb: {c: 1,\n  c: 2}\na: 3\n", "f.yaml")
    with pytest.raises(LabelSetError) as caught:
        file.finish("mistake")
    assert caught.value.problems == (
        "f.yaml:3: key 'c' appears twice; delete one",
        "f.yaml:4: key 'a' appears twice; delete one",
    )
