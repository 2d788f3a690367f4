"""Sections by a table of headings: where they begin, what is none, what a table must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelwright.errors import ConfigError
from labelwright.text.section_tables import FOLDER, SectionTable, plain


def split(table: str, text: str) -> list[tuple[str, str]]:
    return [(s.name, text[s.start : s.end]) for s in SectionTable.load(table).split(text)]


def test_spanish_headings_in_any_spelling() -> None:
    text = (
        "Mujer de 67 años.\nAnamnesis\nSin alergias.\nEXPLORACION  FÍSICA: normal\n"
        "2) Juicio diagnóstico:\nCarcinoma. El tratamiento fue corto.\nANTECEDENTES FAMILIARES\nno"
    )
    assert split("es", text) == [
        ("anamnesis", "Anamnesis\nSin alergias.\n"),
        ("examination", "EXPLORACION  FÍSICA: normal\n"),
        ("diagnosis", "2) Juicio diagnóstico:\nCarcinoma. El tratamiento fue corto.\n"),
        ("family history", "ANTECEDENTES FAMILIARES\nno"),
    ]


def test_headings_that_no_table_knows_are_other() -> None:
    text = "Voorgeschiedenis: Crohn\nREUMATOLOGIE\nx\nAfspraken:\ny\nGewicht: 70 kg\nMRI\nz"
    assert [name for name, _ in split("nl", text)] == ["history", "other", "other"]
    assert split("nl", "geen koppen hier") == []
    assert split("nl", "") == []


def test_a_line_of_ten_thousand_characters_is_no_heading() -> None:
    long = "A" * 10_000
    assert split("it", f"Anamnesi: x\n{long}:\n{long.lower()}\n") == [
        ("history", f"Anamnesi: x\n{long}:\n{long.lower()}\n")
    ]


def test_radiology_is_the_built_in_splitter() -> None:
    text = "INDICATION: cough.\n\nFINDINGS: Clear.\n\nIMPRESSION: Normal."
    assert [name for name, _ in split("radiology", text)] == [
        "indication",
        "findings",
        "impression",
    ]


def test_every_shipped_table_is_whole_and_comes_back() -> None:
    names = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    assert names == ["es", "it", "nl"]
    for name in names:
        table = SectionTable.load(name)
        assert SectionTable.from_json(table.to_json()) == table
        for section, headings in table.sections.items():
            for heading in headings:
                assert split(name, f"{heading.upper()}\nx")[0][0] == section


def test_letters_without_accents_keep_their_places() -> None:
    text = "Straße ÉÑ İx ﬁn"
    assert len(plain(text)) == len(text)
    assert plain("EXPLORACIÓN") == "exploracion"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is a mapping"),
        ("name: x\nsections: {}", "write 'SECTION"),
        ("name: x\nsections: {a: [b], c: [B]}", "stands in section 'a' too"),
        ("name: x\nsections: {other: [b]}", "cannot be a section's name"),
        (f"name: x\nsections: {{a: ['{'h' * 10_000}']}}", "at most 60 characters"),
        ("names: x\nname: x\nsections: {a: [b]}", "did you mean 'name'?"),
    ],
)
def test_mistakes_in_a_table(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        SectionTable.load(tmp_path / "t.yaml")
    assert message in str(caught.value.line())
    with pytest.raises(ConfigError, match="no table of headings"):
        SectionTable.load("fr")
