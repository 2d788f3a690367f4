"""The rules know no organ: the same engine with the shipped head-ct-5 phrases.

Notation: ``IH`` intracranial hemorrhage, ``AI`` acute infarct, ``ME`` mass effect, ``SF`` skull
fracture, ``HY`` hydrocephalus; ``+`` positive, ``-`` negative, ``?`` uncertain, the rest blank.
The sentences are written for this test.
"""

from __future__ import annotations

import pytest

from baselines.rules.labeler import RulesLabeler
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Report

LABEL_SET = LabelSet.load("head-ct-5")
LABELER = RulesLabeler.for_label_set(LABEL_SET)
SIGNS = {Certainty.POSITIVE: "+", Certainty.NEGATIVE: "-", Certainty.UNCERTAIN: "?"}
KEYS = dict(zip(LABEL_SET.names, ("IH", "AI", "ME", "SF", "HY"), strict=True))

TABLE = {
    "Acute subdural hematoma on the left.": "IH+",
    "Subarachnoid haemorrhage fills the basal cisterns.": "IH+",
    "No intracranial hemorrhage.": "IH-",
    "No hemorrhage, mass effect, or hydrocephalus.": "IH- ME- HY-",
    "Cannot exclude a thin subdural collection.": "IH?",
    "Scalp hematoma over the right frontal bone.": "",
    "Thin extra-axial collection.": "IH+",
    "Blood products layer in the occipital horn.": "IH+",
    "Acute infarct in the left MCA territory.": "AI+",
    "No CT evidence of acute ischemia.": "AI-",
    "Loss of grey-white differentiation in the insula.": "AI+",
    "Gray-white differentiation is preserved.": "AI-",
    "Old lacunar infarct in the thalamus.": "",
    "Chronic microvascular ischemic change.": "",
    "Possible early infarct of the right cerebellum.": "AI?",
    "Hyperdense left MCA.": "AI+",
    "Evaluate for stroke.": "",
    "Eight mm of midline shift to the right.": "ME+",
    "Midline structures are centered.": "ME-",
    "The basal cisterns are effaced.": "ME+",
    "The basal cisterns are patent.": "ME-",
    "Uncal herniation.": "ME+",
    "Disc herniation at C5.": "",
    "Effacement of the left lateral ventricle.": "ME+",
    "Linear fracture of the left temporal bone.": "SF+",
    "The calvarium is intact.": "SF-",
    "No calvarial fracture.": "SF-",
    "Nasal bone fracture.": "",
    "Skull fracture is suspected.": "SF?",
    "Obstructive hydrocephalus.": "HY+",
    "The ventricles are normal in size.": "HY-",
    "The ventricles are dilated.": "HY+",
    "Ventricles and sulci are unremarkable.": "HY-",
    "No change in the subdural hematoma, and no hydrocephalus.": "IH+ HY-",
    "The hemorrhage has resolved; hydrocephalus may be present.": "IH- HY?",
    "Hemorrhage without midline shift.": "IH+ ME-",
}


@pytest.mark.parametrize(("text", "expected"), TABLE.items())
def test_sentence(text: str, expected: str) -> None:
    result = LABELER.label_reports([Report("1", text, "test", 1)])[0]
    assert isinstance(result, Prediction)
    found = [KEYS[name] + SIGNS[c] for name, c in result.labels.items() if c in SIGNS]
    assert found == sorted(expected.split(), key=lambda item: list(KEYS.values()).index(item[:2]))
