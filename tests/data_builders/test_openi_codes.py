"""Index codes of Open-i reports become observations, by a table that is checked line by line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data_builders.sources.openi_codes import CodeTable
from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty

CHEXPERT = LabelSet.load("chexpert-14")
TABLE = CodeTable.for_label_set(CHEXPERT)

# Code -> observations, by the mapping in CheXpert's terms: the term alone decides, except
# where a qualifier is asked for or forbidden.
CASES = {
    "normal": ["No Finding"],
    "Mediastinum/enlarged": ["Enlarged Cardiomediastinum"],
    "Mediastinum/prominent": ["Enlarged Cardiomediastinum"],
    "Mediastinum/lymph nodes/enlarged": [],
    "Mediastinum": [],
    "Cardiomegaly/mild": ["Cardiomegaly"],
    "Cardiac Shadow/enlarged/borderline": ["Cardiomegaly"],
    "Cardiac Shadow/borderline": [],
    "Nodule/lung/base/left": ["Lung Lesion"],
    "Mass": ["Lung Lesion"],
    "Cavitation/lung/apex": ["Lung Lesion"],
    "Cavitation": [],
    "Opacity/lung/base/right/patchy": ["Lung Opacity"],
    "Infiltrate/lung": ["Lung Opacity"],
    "Airspace Disease/lung": ["Lung Opacity"],
    "Lung Diseases, Interstitial": ["Lung Opacity"],
    "Density/retrocardiac": ["Lung Opacity"],
    "Density/mediastinum": [],
    "Cicatrix/lung/apex": ["Lung Opacity"],
    "Markings/lung/interstitial": ["Lung Opacity"],
    "Markings/bronchovascular": [],
    "Pulmonary Edema/mild": ["Edema"],
    "Pulmonary Congestion": ["Edema"],
    "Consolidation/lung": ["Consolidation"],
    "Pneumonia/lingula": ["Pneumonia"],
    "Pulmonary Atelectasis/base": ["Atelectasis"],
    "Pneumothorax/apex": ["Pneumothorax"],
    "Hydropneumothorax": ["Pneumothorax", "Pleural Effusion"],
    "Hemothorax": ["Pleural Effusion"],
    "Pleural Effusion/left/small": ["Pleural Effusion"],
    "Thickening/pleura/apex": ["Pleural Other"],
    "Thickening/lung": [],
    "Cicatrix/pleura": ["Pleural Other"],
    "Calcinosis/pleura": ["Pleural Other"],
    "Calcinosis/lung": [],
    "Pulmonary Fibrosis": ["Pleural Other"],
    "Fractures, Bone/ribs/healed": ["Fracture"],
    "Catheters, Indwelling": ["Support Devices"],
    "Tube, Inserted": ["Support Devices"],
    "Implanted Medical Device": ["Support Devices"],
    "Medical Device": ["Support Devices"],
    "Spinal Fusion/lumbar": ["Support Devices"],
    "Scoliosis": [],
    "NORMAL ": ["No Finding"],
}


@pytest.mark.parametrize(("code", "expected"), CASES.items())
def test_each_code(code: str, expected: list[str]) -> None:
    labels = TABLE.labels(code, CHEXPERT)
    assert labels is not None
    assert list(labels) == list(CHEXPERT.names)
    assert {n for n, c in labels.items() if c is Certainty.POSITIVE} == set(expected)
    assert set(labels.values()) <= {Certainty.POSITIVE, Certainty.BLANK}


def test_codes_add_up() -> None:
    labels = TABLE.labels("Cardiomegaly;Pleural Effusion/left;;Scoliosis", CHEXPERT)
    assert labels is not None
    positive = [n for n, c in labels.items() if c is Certainty.POSITIVE]
    assert positive == ["Cardiomegaly", "Pleural Effusion"]


@pytest.mark.parametrize("codes", ["No Indexing", "no indexing;Mass", "", " ; "])
def test_reports_that_were_not_indexed_have_no_labels(codes: str) -> None:
    assert TABLE.labels(codes, CHEXPERT) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nlabels:\n  Oedema:\n    - term: a\n", ":3: .*'Oedema' is not in .*'Edema'"),
        (
            "name: x\nlabels:\n  Edema:\n    - term: a\n      some: [b]\n",
            ":5: .*unknown key 'some'",
        ),
        ("name: x\nlabels:\n  Edema: Pulmonary Edema\n", ":3: .*must be a list; write '- term"),
        ("name: x\nlabels:\n  Edema:\n    - Pulmonary Edema\n", ":4: .*needs a term"),
        ("name: x\nlabels:\n  Edema:\n    - term: a\n      any: lung\n", ":5: .*must be a list of"),
        ("name: x\nlabel:\n  Edema: []\n", ":2: .*unknown key 'label'; did you mean 'labels'"),
        ("labels:\n  Edema:\n    - term: a\n", "'name' is missing"),
        ("name: x\nunlabeled: No Indexing\nlabels: {}\n", ":2: .*must be a list of terms"),
        ("- a\n", "a table is a mapping"),
    ],
)
def test_mistakes_in_a_table(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "codes.yaml"
    path.write_text(text)
    with pytest.raises(LabelSetError) as caught:
        CodeTable.load(path, CHEXPERT)
    assert any(
        re.search(message, line) for line in (caught.value.line(), *caught.value.problems)
    ), caught.value.problems


def test_all_mistakes_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "codes.yaml"
    path.write_text("name: x\nlabels:\n  Oedema:\n    - tern: a\n")
    with pytest.raises(LabelSetError) as caught:
        CodeTable.load(path, CHEXPERT)
    assert len(caught.value.problems) >= 2


def test_no_table_for_another_label_set() -> None:
    with pytest.raises(LabelSetError, match=r"head-ct-5.*--openi-table"):
        CodeTable.for_label_set(LabelSet.load("head-ct-5"))
