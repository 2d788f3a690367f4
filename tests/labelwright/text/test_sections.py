"""Sections of reports. All report texts are written for these tests."""

import pytest
from clock_tools import growth
from hypothesis import given
from hypothesis import strategies as st

from labelwright.text.mimic_sections import (
    COMPARISON_SLIPS,
    FINDINGS_SLIPS,
    IMPRESSION_SLIPS,
    mimic_span,
)
from labelwright.text.section_headings import LINE_ONLY, NAMES
from labelwright.text.sections import (
    _PLAIN,
    SECTION_CHOICES,
    Composer,
    choose,
    section_name,
    split_sections,
)

MIMIC = "\n \n".join(  # MIMIC-CXR's empty lines hold one space
    [
        "                                 FINAL REPORT\n EXAMINATION:  CHEST (PORTABLE AP)",
        " INDICATION:  ___ year old woman with cough  // pneumonia?",
        " COMPARISON:  ___",
        " FINDINGS: ",
        " The lungs are clear.  Heart size\n is normal.",
        " IMPRESSION: ",
        " 1.  No pneumonia.\n 2.  Unchanged hernia.\n",
    ]
)


def named(text: str) -> list[tuple[str, str]]:
    return [(s.name, text[s.start : s.end]) for s in split_sections(text)]


def brief(text: str) -> str:
    return " | ".join(f"{name}={part}" for name, part in named(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # one line, headings inline
        ("FINDINGS: Clear. IMPRESSION: Normal.", "findings=Clear. | impression=Normal."),
        ("Findings: Clear. Impression: Normal.", "findings=Clear. | impression=Normal."),
        ("findings: clear. impression: normal", "findings=clear. | impression=normal"),
        ("Clear lungs.IMPRESSION: Normal.", "body=Clear lungs. | impression=Normal."),
        # headings flattened into one line without full stops
        (
            "History: cough Comparison: none Findings: clear Impression: normal",
            "history=cough | comparison=none | findings=clear | impression=normal",
        ),
        # without colon: alone on a line, or in capitals before a sentence
        ("Findings\nClear.\n\nImpression\nNormal.", "findings=Clear. | impression=Normal."),
        (
            "FINDINGS Clear lungs. IMPRESSION No change.",
            "findings=Clear lungs. | impression=No change.",
        ),
        ("No effusion. IMPRESSION 1. Normal.", "body=No effusion. | impression=1. Normal."),
        ("Impression - normal", "impression=normal"),
        # numbered, indented, decorated
        ("1. FINDINGS: a\n2. IMPRESSION: b", "findings=a | impression=b"),
        ("II) Findings: a\n   III) Impression: b", "findings=a | impression=b"),
        ("**Findings:** a\n\n## Impression\nb", "findings=a | impression=b"),
        ("FINDINGS (two views): a", "findings=a"),
        ("Impression：正常", "impression=正常"),
        # other words for the same
        ("CONCLUSION: a", "impression=a"),
        ("IMPRESSION AND RECOMMENDATION: a", "impression=a"),
        ("IMPRESION: a", "impression=a"),
        ("FINDINGS AND IMPRESSION: a", "findings and impression=a"),
        ("FINDINGS/IMPRESSION: a", "findings and impression=a"),
        ("Reason for examination: a\nClinical history: b", "indication=a | history=b"),
        ("FINDINGS: a\nOTHER FINDINGS: b", "findings=a | findings=b"),
        ("Impression: a\nAddendum: b", "impression=a | addendum=b"),
        (
            "WET READ: small effusion\nFINAL REPORT\nFINDINGS: none",
            "wet read=small effusion | findings=none",
        ),
        ("IMPRESSION: a\nElectronically signed by X", "impression=a | signature=X"),
        # sub-headings of the findings are no sections
        ("FINDINGS:\nLUNGS: clear.\nHEART: normal.", "findings=LUNGS: clear.\nHEART: normal."),
        # an unheaded paragraph below the request is the report's own text
        (
            "COMPARISON: None.\n\nThe lungs are clear.",
            "comparison=None. | body=The lungs are clear.",
        ),
        # where only the request has a heading, it ends with its sentence or its line
        (
            "Clinical history: Cough, evaluate for mass. The lungs are clear. No mass.",
            "history=Cough, evaluate for mass. | body=The lungs are clear. No mass.",
        ),
        ("history: cough. lungs clear.", "history=cough. | body=lungs clear."),
        (
            "History: cough.\nNo effusion. Heart normal.\nConclusion: normal.",
            "history=cough. | body=No effusion. Heart normal. | impression=normal.",
        ),
        (
            "History: fever and\nleft chest pain.\nConclusion: normal.",
            "history=fever and\nleft chest pain. | impression=normal.",
        ),
        (
            "History: cough. Known emphysema. Conclusion: normal.",
            "history=cough. Known emphysema. | impression=normal.",
        ),
        ("INDICATION: Cough\nLungs are clear.", "indication=Cough | body=Lungs are clear."),
        ("HISTORY: COUGH\nLUNGS CLEAR.", "history=COUGH | body=LUNGS CLEAR."),
        (
            "CHEST PA\nINDICATION: Cough and fever after\nPICC. Clear lungs.",
            "body=CHEST PA | indication=Cough and fever after\nPICC. | body=Clear lungs.",
        ),
        (
            "History: 50 y.o. man, Dr. X. Evaluate for mass. R/o edema. Clear.",
            "history=50 y.o. man, Dr. X. Evaluate for mass. R/o edema. | body=Clear.",
        ),
        (
            "History: cough. Pain. Comparison: none. Clear lungs.\nSigned by: X. Y.",
            "history=cough. Pain. | comparison=none. | body=Clear lungs. | signature=X. Y.",
        ),
        ("INDICATION: cough. Pain.\nFINDINGS:", "indication=cough. Pain."),
        ("INDICATION: cough", "indication=cough"),
        ("INDICATION:\nCough. Pain.", "indication=Cough. Pain."),
        (
            "FINDINGS: Clear. HISTORY: Cough. Pain.",
            "findings=Clear. | history=Cough. Pain.",
        ),
        # plain words are no headings
        (
            "The findings are stable. Comparison is made.",
            "body=The findings are stable. Comparison is made.",
        ),
        ("COMPARED TO PRIOR\nFINDINGS ARE STABLE.", "body=COMPARED TO PRIOR\nFINDINGS ARE STABLE."),
        (
            "clear, consistent with prior\nfindings\nof the CT",
            "body=clear, consistent with prior\nfindings\nof the CT",
        ),
        ("She has a study: none.", "body=She has a study: none."),
        # line ends of every kind, empty sections, nothing at all
        ("FINDINGS:\r\nClear.\r\nIMPRESSION:\r\nNormal.", "findings=Clear. | impression=Normal."),
        ("FINDINGS:\nIMPRESSION: Normal.", "impression=Normal."),
        ("İİ Findings: a", "body=İİ | findings=a"),  # İ grows in lower case
        ("Normal chest.", "body=Normal chest."),
        (" \n ", ""),
        ("", ""),
    ],
)
def test_split(text: str, expected: str) -> None:
    assert brief(text) == expected


def test_mimic_layout() -> None:
    assert named(MIMIC) == [
        ("examination", "CHEST (PORTABLE AP)"),
        ("indication", "___ year old woman with cough  // pneumonia?"),
        ("comparison", "___"),
        ("findings", "The lungs are clear.  Heart size\n is normal."),
        ("impression", "1.  No pneumonia.\n 2.  Unchanged hernia."),
    ]


@given(st.text(alphabet="FINDGSMPRE findgsmpr:.\n-(*1İé", max_size=60))
def test_offsets_are_in_order_and_trimmed(text: str) -> None:
    previous = 0
    for section in split_sections(text):
        assert previous <= section.start < section.end <= len(text)
        part = text[section.start : section.end]
        assert part == part.strip()
        previous = section.end


def test_quick_test_knows_every_inline_heading() -> None:
    """Texts without a mark skip the search, so each heading that may stand there must be seen."""
    slips = {*IMPRESSION_SLIPS, *FINDINGS_SLIPS, *COMPARISON_SLIPS, "idication", "pfi"}
    for heading, name in NAMES.items():
        if heading not in slips and not {heading, name} & LINE_ONLY:
            assert any(word in heading.upper() for word in _PLAIN), heading


@pytest.mark.parametrize(
    "text",
    [
        "FINDINGS" + " " * 2_000_000 + "x",
        "findings " * 200_000,
        "FINDINGS: a\n" * 100_000,
        "\n \n" * 500_000,
        "clinical" + " \t" * 500_000,
        "(" * 1_000_000 + "findings:",
        "History: " + "a. " * 300_000 + "\n  " * 300_000 + " \r" * 300_000,
    ],
    ids=["spaces", "words", "headings", "blank lines", "half a heading", "brackets", "request"],
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    def both(text: str) -> None:
        split_sections(text)
        mimic_span(text)

    eighth = len(text) // 8  # of both ends: half a heading and what follows it
    assert growth(both, text[:eighth] + text[-eighth:], text) < 9


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("findings", "a\nc"),
        ("impression", "b\nc"),
        ("both", "a\nb\nc"),
        ("full", "History: x. Findings: a\nImpression: b\nFINDINGS AND IMPRESSION: c"),
    ],
)
def test_choose(choice: str, expected: str) -> None:
    text = "History: x. Findings: a\nImpression: b\nFINDINGS AND IMPRESSION: c"
    assert choose(text, split_sections(text), choice) == expected


def test_choose_gives_nothing_where_the_report_has_none() -> None:
    text = "The lungs are clear."
    assert choose(text, split_sections(text), "findings") == ""
    assert choose(text, split_sections(text), "mimic") == ""


def test_choose_refuses_other_choices() -> None:
    with pytest.raises(ValueError, match="unknown section choice"):
        choose("a", (), "conclusion")
    assert all(isinstance(choose("a", (), choice), str) for choice in SECTION_CHOICES)


# The expected choices follow from the rules in labelwright/text/mimic_sections.py, which describe
# txt/section_parser.py and txt/create_section_files.py of github.com/MIT-LCP/mimic-cxr.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MIMIC, "1.  No pneumonia.\n 2.  Unchanged hernia."),
        ("\n IMPRESSION: a\n FINDINGS: b\n IMPRESSION: c", "c"),  # the last impression
        ("\n FINDINGS: a\n CONCLUSION: b", "b"),
        ("\n FINDINGS: a\n IMPRESSION: ", "a"),  # an empty impression does not count
        ("\n FINDINGS AND IMPRESSION: a", "a"),
        ("\n CHEST, TWO VIEWS: a", "a"),  # a title stands for the findings
        ("\n REASON FOR EXAM: a", ""),
        ("\n CLINICAL HISTORY: a\n \n Clear.\n \n Normal.", "Clear.\n \n Normal."),
        ("\n COMPARISON: a\n HISTORY: b", "a"),
        ("Clear lungs.", ""),
        (" FINDINGS: a", ""),  # no line end before it
        ("\nFINDINGS: a", ""),  # no space
        ("\n Findings: a", ""),  # not in capitals
        ("\n HISTORY: one line  FINDINGS: a\n IMPRESSION: b", "b"),
        ("\n IMPRESSION:\n FINDINGS: a\n IMPRESSION: ", "FINDINGS: a"),  # see below
    ],
)
def test_mimic_choice(text: str, expected: str) -> None:
    """The last case: the white space after a colon may be its line end, and the next line is
    then the heading's first line, in which no other heading is looked for."""
    assert choose(text, (), "mimic") == expected


def test_mimic_span_points_into_the_text() -> None:
    span = mimic_span(MIMIC)
    assert span is not None
    assert MIMIC[slice(*span)].strip().startswith("1.  No pneumonia.")


def compose(parts: dict[str, str]) -> str:
    return Composer(tuple(parts)).join(tuple(parts.values()))[0]


def test_compose_heads_known_columns_and_leaves_out_empty_ones() -> None:
    parts = {"clinical_history": "cough", "findings": " clear ", "impression": "", "notes": "x"}
    assert compose(parts) == "CLINICAL HISTORY:\ncough\n\nFINDINGS:\nclear\n\nx"


def test_compose_takes_a_single_column_as_it_is() -> None:
    assert compose({"impression": " normal\n"}) == " normal\n"


def test_composer_knows_the_sections() -> None:
    composer = Composer(("findings", "notes", "impression"))
    text, sections = composer.join(("CONCLUSION: a", "b", "c"))
    assert [(s.name, text[s.start : s.end]) for s in sections] == [
        ("findings", "CONCLUSION: a"),  # a column's own name counts, whatever is in it
        ("body", "b"),
        ("impression", "c"),
    ]


def test_a_single_named_column_is_that_section() -> None:
    text, sections = Composer(("impression",)).join(("Normal.",))
    assert choose(text, sections, "impression") == "Normal."
    text, sections = Composer(("findings",)).join(("Clear. IMPRESSION: Normal.",))
    assert choose(text, sections, "findings") == "Clear."


@given(
    st.dictionaries(
        st.sampled_from(["findings", "impression", "indication", "technique", "history"]),
        st.text(alphabet="abc .,é1", min_size=1).filter(lambda t: bool(t.strip())),
        min_size=2,
    )
)
def test_split_recovers_composed_columns(parts: dict[str, str]) -> None:
    assert named(compose(parts)) == [(name, text.strip()) for name, text in parts.items()]


def test_section_name() -> None:
    assert section_name("Clinical_History") == "history"
    assert section_name("report") is None


def test_a_general_heading_inside_a_line_needs_a_full_stop_before_it() -> None:
    assert brief("COMPARISON: None. DESCRIPTION: Clear.") == "comparison=None. | findings=Clear."
    assert brief("Technique: PA. Report: Clear.") == "technique=PA. | body=Clear."
    assert brief("technique: pa. report: clear.") == "technique=pa. | body=clear."
    plain = "Findings: In the Report: clear. The date: none. A summary of report: clear."
    assert brief(plain) == f"findings={plain[10:]}"


@pytest.mark.parametrize(
    ("heading", "name"), [("REPORT", "body"), ("NARRATIVE", "body"), ("DESCRIPTION", "findings")]
)
def test_a_general_heading_ends_the_request(heading: str, name: str) -> None:
    assert named(f"TECHNIQUE: PA view.\n{heading}: Clear lungs.") == [
        ("technique", "PA view."),
        (name, "Clear lungs."),
    ]


@pytest.mark.parametrize("missing", ["nan", "NaN", " N/A ", "None", "null", "#N/A", "<NA>"])
def test_a_cell_that_stands_for_an_empty_one_is_left_out(missing: str) -> None:
    composer = Composer(("findings", "impression"))
    assert composer.join((missing, "No effusion.")) == composer.join(("", "No effusion."))
    assert composer.join((missing, missing)) == ("", ())
    text, (findings, _) = composer.join(("None seen.", "No effusion."))
    assert text[findings.start : findings.end] == "None seen."


def test_one_single_column_is_taken_as_it_is() -> None:
    assert Composer(("report",)).join(("nan",))[0] == "nan"
