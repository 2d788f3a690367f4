"""The gate around labelers: nothing is called normal that does not say so, whatever the labeler."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from baselines.rules.labeler import RulesLabeler
from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet
from labelwright.labelers.about import about, shipped, shipped_names
from labelwright.labelers.gate import Gated, about_of, gated
from labelwright.labelers.nothing import nothing_said, placeholder, told
from labelwright.labelers.settings import LabelerSettings
from labelwright.labelers.words import WordList, phrases, words_of
from labelwright.loading import load_labeler
from labelwright.records import Certainty, Prediction, Reject, Report
from labelwright.text.sections import split_sections

P, N, U, B = Certainty.POSITIVE, Certainty.NEGATIVE, Certainty.UNCERTAIN, Certainty.BLANK
NF = "No Finding"
CHEXPERT = LabelSet.load("chexpert-14")

GERMAN = """
name: thorax-de
version: "1"
task: certainty
language: de
instruction: "Kennzeichne den Befund. {labels}"
labels:
  - name: Erguss
  - name: Normal
    certainties: [positive, blank]
exclusive:
  - label: Normal
    with: [Erguss]
"""
ABOUT = """about:
  language: de
  subject: ["*thorax*", "*lunge*", pleura*, herz*]
  findings: [erguss*, infiltrat*]
  normal: [unauffällig*, regelrecht*, frei]
  denies: [kein, keine, keinen, nicht, ohne]
  says: [unauffälliger ~2 thorax*|befund]
  others:
    Knie: [knie*, menisk*, patell*]
"""


class Fixed:
    """Says the same of every text: normal, and nothing else."""

    name = "fixed"

    def __init__(self, label_set: LabelSet, **labels: Certainty) -> None:
        self.label_set = label_set
        head = label_set.exclusive[0].label if label_set.exclusive else None
        self.labels = dict.fromkeys(label_set.names, B) | ({head: P} if head else {})
        self.labels |= {name.replace("_", " "): value for name, value in labels.items()}
        self.probs = {name: {"positive": 0.98, "blank": 0.02} for name in self.labels}
        self.seen: list[str] = []

    def describe(self):
        return {"model": self.name}

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        self.seen += [report.text for report in reports]
        return [
            Prediction(
                id=r.id, model=self.name, task="certainty", value=self.labels, probs=self.probs
            )
            for r in reports
        ]


def read(*texts: str, label_set: LabelSet = CHEXPERT, **labels: Certainty):
    """What the gate leaves of a labeler that calls everything normal."""
    reports = [Report(str(row), text, "f.csv", row + 1) for row, text in enumerate(texts)]
    return Gated(Fixed(label_set, **labels)).label_reports(reports)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "nan",
            "NaN",
            "N/A",
            "n/a.",
            "None",
            "null",
            "-",
            "---",
            "12345",
            "?",
            "...",
            "TEST",
            "xx",
        ),
        *("Dictation pending.", "The report is not yet available.", "See previous report.", "#N/A"),
        *("Please see the prior report of 2 June.", "No report available", "Report to follow"),
        *("Examination cancelled. The patient did not attend.", "FINDINGS: nan\nIMPRESSION: None"),
        *("FINDINGS:\n\nIMPRESSION:\n", "Findings: none", "keine Angabe", "sin informe", "  \n "),
        *("INDICATION: Cough and fever.", "TECHNIQUE: PA and lateral.\nCOMPARISON: None."),
    ],
)
def test_a_text_that_says_nothing_is_a_reject_and_no_labeler_sees_it(text):
    labeler = Fixed(CHEXPERT)
    (found,) = Gated(labeler).label_reports([Report("7", text, "f.csv", 3)])
    assert isinstance(found, Reject)
    assert (found.id, found.source, found.row) == ("7", "f.csv", 3)
    assert found.reason == nothing_said(text, told(text))
    assert labeler.seen == []


@pytest.mark.parametrize(
    "text",
    [
        *("Normal.", "Negative.", "Clear.", "No change.", "Rib fracture.", "No effusion.", "NAD"),
        *("Lungs clear. Please see the report of the chest CT.", "Nothing acute."),
        *("No significant findings.", "INDICATION: test\nFINDINGS: Heart normal.", "Unremarkable"),
        "The examination was repeated since the first film was not available. Lungs are clear.",
    ],
)
def test_a_short_report_is_no_placeholder(text):
    assert nothing_said(text, told(text)) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("No effusion. " * 1_001, "more than 1,000 sentences"),
        ("no effusion and " * 62_500, "more than 100,000 characters"),
    ],
)
def test_a_text_longer_than_any_report_is_a_reject_whoever_labels(text, reason):
    assert [one.reason for one in read(text)] == [reason]
    rules = load_labeler(LabelerSettings(model="rules")).labeler
    assert rules.label_reports([Report("1", text, "f.csv", 1)]) == [Reject("1", "f.csv", 1, reason)]
    (own,) = read(text, label_set=LabelSet.from_text(GERMAN))
    assert isinstance(own, Prediction)  # how long these are, nobody knows


def test_results_keep_their_order_around_rejects():
    found = read("nan", "Lungs clear.", "-", "No effusion.")
    assert [type(result) for result in found] == [Reject, Prediction, Reject, Prediction]
    assert [result.id for result in found] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Herz verbreitert. Pleuraerguss links, kein Pneumothorax nachweisbar.", "language: de"),
        ("Épanchement pleural gauche, sans pneumothorax. Le cœur est normal.", "language: fr"),
        ("No se observan derrames pleurales ni condensaciones del parénquima.", "language: es"),
        ("Er is geen pleuravocht aan de linkerzijde en het hart is normaal.", "language: nl"),
        ("Жидкости в плевральных полостях не выявлено, сердце обычных размеров.", "language: ru"),
        ("Normal MR of the left knee. The menisci are intact.", "examination: knee"),
        ("No intracranial haemorrhage. Ventricles of normal size.", "examination: brain"),
        ("Liver, spleen and kidneys are normal. No ascites.", "examination: abdomen"),
        ("Both kidneys are of normal size. No hydronephrosis.", "examination: urinary tract"),
        (
            "EXAMINATION: Left wrist, two views.\nFINDINGS: No fracture.",
            "examination: hand and foot",
        ),
        ("glorp frindle waxby no tarn quindle opra sellit", "unknown words: 88%"),
    ],
)
def test_a_text_of_another_kind_is_named_and_not_called_normal(text, problem):
    (found,) = read(text)
    assert found.problems == (problem,)
    assert found.labels[NF] is B
    assert found.probs[NF]["positive"] == 0.98  # the labeler's own


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Kein Pneumothorax.", "language: de"),
        ("Absence de pneumothorax.", "language: fr"),
        ("Pas d'épanchement.", "language: fr"),
        ("Sin derrame.", "language: es"),
        ("Nessun versamento.", "language: it"),
        ("Sem pneumotórax.", "language: pt"),
        ("Geen pneumothorax.", "language: nl"),
        ("Ingen pneumothorax, hjerte normalt.", "language: da"),
    ],
)
def test_no_label_comes_of_a_text_in_another_language_however_short(text, problem):
    (found,) = read(text, Pneumothorax=P, Pleural_Effusion=N)
    assert set(found.labels.values()) == {B}
    assert found.problems == (problem,)
    assert found.probs["Pneumothorax"]["positive"] == 0.98  # the labeler's own


def test_a_word_of_another_language_within_a_report_takes_nothing_away():
    texts = [
        "No edema. Dr. van der Berg was informed of the effusion.",
        "De novo effusion. ET tube.",
    ]
    for found in read(*texts, Pleural_Effusion=P):
        assert found.labels["Pleural Effusion"] is P
        assert not found.problems


@pytest.mark.parametrize(
    "text",
    [
        *("Rib fracture.", "Cardiomegaly.", "Pneumothorax.", "Hydropneumothorax", "No PTX", "COPD"),
        *("RIJ CVC tip in SVC. ETT above carina.", "Cardiomegaly, atelectasis, edema, effusion."),
        "Lungs clear. XXXX XXXX unremarkable. XXXX of the XXXX XXXX XXXX XXXX.",
        "Lung bases are clear. Liver and spleen normal.",
        "Chest and abdomen: no free air, no pneumothorax, bowel gas is normal.",
        "Haemothorax with oedema; the hemidiaphragm is hidden.",
        "Old rib fractures. Degenerative disease of the spine and shoulders. No infiltrate.",
    ],
)
def test_a_chest_report_is_never_of_another_kind(text):
    (found,) = read(text)
    assert not [p for p in found.problems if not p.startswith("nothing said")]


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("Normal chest.", ["Normal chest."]),
        (
            "The heart is of normal size. No effusion. No acute cardiopulmonary disease.",
            ["No acute cardiopulmonary disease."],
        ),
        (
            "Sternal wires. No effusion is seen. The lungs are clear.",
            ["The lungs are clear."],
        ),
        (
            "PICC as before. No pneumothorax. Ribs are intact.",
            ["No pneumothorax.", "Ribs are intact."],
        ),
        ("Heart size within normal limits.", ["Heart size within normal limits."]),
        ("There isn’t any effusion.", ["There isn’t any effusion."]),
    ],
)
def test_no_finding_carries_the_sentence_that_says_so(text, evidence):
    (found,) = read(text)
    assert found.labels[NF] is P
    assert [text[start:end] for start, end in found.evidence[NF]] == evidence
    assert found.problems == ()


@pytest.mark.parametrize(
    "text",
    [
        *("Rib fracture.", "No change since yesterday.", "The heart is the same as before."),
        *("Tube in normal position.", "No prior films.", "Compared with the film of last week."),
        *("The chest tube has been removed.", "Goitre with mass effect on the trachea."),
        "HISTORY: The patient had a normal chest last year.\nFINDINGS: Effusion of the left side.",
    ],
)
def test_without_such_a_sentence_nothing_is_called_normal(text):
    (found,) = read(text, Pleural_Effusion=N)
    assert found.labels[NF] is B
    assert found.problems == ("nothing said: No Finding",)
    assert found.labels["Pleural Effusion"] is N  # only what stands for absence gives way


def test_other_labels_and_their_evidence_stay():
    rules = RulesLabeler.for_label_set(CHEXPERT)
    report = Report("1", "Large left effusion. Kidneys normal. Lungs otherwise clear.", "f", 1)
    (plain,), (kept,) = rules.label_reports([report]), Gated(rules).label_reports([report])
    assert kept.labels == plain.labels
    assert kept.evidence == plain.evidence


def test_nothing_is_normal_beside_a_finding():
    labeler = Fixed(CHEXPERT, Pleural_Effusion=U)
    contradiction = "contradiction: No Finding / Pleural Effusion"
    plain = labeler.label_reports

    def answer(reports):
        return [replace(f, problems=("chatter", contradiction), probs=None) for f in plain(reports)]

    labeler.label_reports = answer
    (found,) = Gated(labeler).label_reports([Report("1", "Lungs clear. Effusion?", "f", 1)])
    assert (found.labels[NF], found.labels["Pleural Effusion"]) == (B, U)
    assert (found.problems, found.notes) == (("chatter",), ("rule: No Finding",))


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("Normal MR of the left knee. The menisci are intact.", ("examination: knee",)),
        ("Herz normal groß. Kein Pleuraerguss, keine Infiltrate.", ("language: de",)),
        ("No change since yesterday.", ("nothing said: no observation",)),
    ],
)
def test_what_rules_and_gate_both_notice_is_named_once(text, problems):
    rules = RulesLabeler.for_label_set(CHEXPERT)
    (found,) = Gated(rules).label_reports([Report("1", text, "f", 1)])
    assert found.problems == problems
    assert found.labels[NF] is B


def test_the_gate_is_part_of_what_a_run_depends_on():
    said = gated(Fixed(CHEXPERT)).describe()
    assert said["model"] == "fixed"
    assert said["gate"] == {"version": 3, "about_sha256": about_of(CHEXPERT).sha256}


def test_labels_of_the_examples_do_not_change():
    from pathlib import Path

    from labelwright.readers import read_reports
    from labelwright.readers.options import ReadOptions

    options = ReadOptions(id_column="id", text_columns=("findings", "impression"))
    examples = Path(__file__).parents[3] / "examples" / "reports.csv"
    reports = list(read_reports([examples], options))
    rules = RulesLabeler.for_label_set(CHEXPERT)
    for one, other in zip(
        rules.label_reports(reports), Gated(rules).label_reports(reports), strict=True
    ):
        assert one.labels == other.labels
        assert not other.problems
        assert (other.labels[NF] is P) == bool(other.evidence.get(NF))


# Label sets that know nothing of it, or other things


def test_a_label_set_of_ones_own_is_left_alone_but_for_texts_that_say_nothing():
    own = LabelSet.from_text(GERMAN)
    assert about_of(own) is None
    found = read("Unauffälliger Thorax.", "Menisken intakt.", "nan", label_set=own)
    assert [getattr(f, "labels", {}).get("Normal") for f in found] == [P, P, None]
    assert [getattr(f, "problems", ()) for f in found] == [(), (), ()]


def test_a_label_set_of_ones_own_can_say_what_it_is_about():
    own = LabelSet.from_text(GERMAN + ABOUT)
    texts = [
        "Unauffälliger Befund des Thorax.",
        "Herz normal groß, kein Erguss.",
        "Unauffälliges Kniegelenk, Menisken und Patella regelrecht.",
        "Wie zuletzt.",
        "The heart is normal in size and there is no pleural effusion today.",
        "k.A.",
    ]
    found = read(*texts, label_set=own)
    assert [getattr(f, "labels", {}).get("Normal") for f in found] == [P, P, B, B, B, None]
    assert found[0].evidence["Normal"] == [[0, len(texts[0])]]
    assert found[2].problems == ("examination: Knie",)
    assert found[3].problems == ("nothing said: Normal",)
    assert found[4].problems == ("language: en",)


def test_head_ct_reports_of_another_examination_are_named():
    head = LabelSet.load("head-ct-5")
    chest, brain = read(
        "The lungs are clear. No pleural effusion or pneumothorax.",
        "No haemorrhage, no infarct. The ventricles are of normal size.",
        label_set=head,
    )
    assert chest.problems == ("examination: chest",)
    assert brain.problems == ()


def test_about_may_name_a_shipped_one():
    own = LabelSet.from_text(GERMAN.replace("thorax-de", "mine") + "about: chexpert-14\n")
    assert about_of(own) is shipped("chexpert-14")
    assert about("../chexpert-14", None) is None


def test_every_shipped_one_is_of_a_label_set_and_has_no_mistake():
    for name in shipped_names():
        assert shipped(name) is not None
        LabelSet.load(name)


def test_mistakes_are_named_with_their_lines():
    wrong = """about:
  language: no
  subject: [two words, 3]
  says: ["~2"]
  colour: red
  others: [knee]
"""
    with pytest.raises(LabelSetError) as caught:
        LabelSet.from_text(GERMAN + wrong, "own.yaml")
    first = GERMAN.count("\n") + 1
    lines = [line.split(": ", 1) for line in caught.value.problems]
    assert [place for place, _ in lines] == [f"own.yaml:{first + n}" for n in (1, 2, 2, 3, 4, 5)]
    assert 'write "no" in quotes' in lines[0][1]
    assert "one word" in lines[1][1] + lines[2][1]


def test_an_unknown_name_is_named():
    with pytest.raises(LabelSetError, match="unknown about 'chest'"):
        LabelSet.from_text(GERMAN + "about: chest\n")


# Parts


def test_words_and_lists():
    assert words_of("No XXXX; it’s 3 cm, T-shaped") == ["no", "it's", "cm", "t", "shaped"]
    words = WordList(["rib", "pleur*", "*eart*"])
    assert words.among(["rib", "ribs", "pleura", "hearts", "lung"]) == {"rib", "pleura", "hearts"}


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("no ~2 disease", "no acute lung disease", True),
        ("no ~2 disease", "no acute lung or heart disease", False),
        ("no ~2 disease", "no effusion, disease", False),
        ("see the? report ~1", "see report", True),
        ("see report|note", "see the report", False),
        ("x-ray* clear", "chest X-rays clear", True),
        ("clear", "unclear", False),
    ],
)
def test_phrases(phrase, text, found):
    assert bool(phrases([phrase]).search(text)) is found


def test_sections_of_a_reader_count_as_they_are():
    text = "nan\n\nNo effusion."
    sections = split_sections(text)
    assert placeholder(text[:3])
    assert nothing_said(text, told(text, sections)) is None
