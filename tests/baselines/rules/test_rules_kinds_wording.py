"""The shipped chexpert-14 rules on findings laid to technique, and on words that lists lacked.

Expected labels follow ``docs/labeling-guide.md``; the signs are those of ``rules_tools``.
"""

from __future__ import annotations

import pytest
from rules_tools import LABELER, predict, said

from labelwright.labelers.gate import gated

TECHNICAL = {
    "The mediastinum looks wide; this may be due to supine technique.": "EC?",
    "The heart looks big; this could be projectional.": "CM?",
    "Heart enlarged; may be magnified by the AP view.": "CM?",
    "Mediastinal widening - possibly positional.": "EC?",
    "Wide mediastinum. This might be due to the supine position.": "EC?",
    "The heart is prominent; however, this is accentuated by shallow inspiration.": "CM?",
    "Cardiomegaly, probably accounted for by the AP projection.": "CM?",
    "Apparent cardiomegaly due to AP projection.": "CM?",
    "Heart and mediastinum appear enlarged; this may be due to AP technique.": "EC? CM?",
    "Small effusion. The mediastinum is wide; these appearances may be projectional.": "EC? PE+",
    "Haze at the left base; likely overlying breast tissue.": "LO?",
    "Rounded opacity at the left base. This is a nipple shadow. Heart normal.": "CM- NF+",
    "An ovoid opacity behind the heart, could be projectional or a mass.": "LO? LL?",
    "Heart mildly enlarged allowing for AP projection.": "CM+",
    "The heart is big; this is not due to projection alone.": "CM+",
    "Opacity at the base; this may be atelectasis.": "LO+ AT?",
    "Effusion on the left; this may be loculated.": "PE+",
}
OPERATIONS = {
    "s/p lobectomy. No new nodule.": "LL- NF+",
    "Status post mastectomy. Lungs clear.": "NF+",
    "Post lobectomy changes. No nodule.": "LL-",
    "Volume loss after lobectomy. No effusion.": "PE-",
    "Pre-op assessment, hip replacement. Lungs clear.": "NF+",
    "Left hip replacement. Lungs clear.": "SD+ NF+",
}
WORDS = {
    "Fibrous changes in both apices.": "PO+",
    "Pneumosclerosis of the basal segments.": "PO+",
    "Radiation fibrosis at the left apex.": "PO+",
    "Possible invasive fungal infection.": "PN?",
    "A residual air-fluid level at the apex after pneumonectomy.": "",
    "Retrosternal mass that fills the anterior mediastinum.": "EC+",
    "Thymic mass.": "EC+",
    "Bat-wing haze, query early APO.": "LO+ ED?",
    "Redistribution of flow to the upper lobes.": "ED+",
    "There is no air left in the pleural space.": "PT- NF+",
    "An old break of the sixth rib.": "FR+",
    "Ribs: no # seen.": "FR- NF+",
    "ILR on the left.": "SD+",
    "Degenerate spine. Lungs clear.": "",
    "Lung bases clear. Gallstones.": "NF+",
    "Patient has pulled out the NG tube. Lungs clear.": "SD- NF+",
    "The tube was pulled back by 2 cm.": "SD+",
    "Enlarged PAs. Lungs clear.": "",
}
ASKED_AND_DATED = {
    "Req: post ICD insertion, ?pneumothorax ?lead position. No pneumothorax.": "SD+ PT- NF+",
    "Post drain insertion ?PTX. Tube at the apex. No PTX.": "SD+ PT- NF+",
    "Fever. Consolidation ?pneumonia. No effusion.": "CO+ PN? PE-",
    "The pneumonia of last month has fully resolved.": "PN- NF+",
    "The infiltrate of two weeks ago has cleared.": "LO- NF+",
    "The effusions seen last week have cleared.": "PE- NF+",
    "No effusion on the right; on the left a small one persists.": "PE+",
}
MISHEARD = {
    "The hard is normal.": "CM- NF+",
    "It is hard to judge the heart size.": "CM?",
    "No plural effusion.": "PE- NF+",
    "Small left plural a fusion.": "PE+",
    "Old fusion of C5/6. Lungs clear.": "SD+ NF+",
    "Heart normal. No new moth or ax.": "CM- PT- NF+",
    "No focal consolation, effusion or new mo thorax.": "CO- PE- PT- NF+",
    "Bibasilar at electasis.": "AT+",
    "Pick line tip in the SVC.": "SD+",
    "Mild pulmonary a dema.": "ED+",
    "The longs are clear.": "NF+",
}
BARE = {
    "Broadening of the upper mediastinum.": "EC+",
    "Mediastinum bulges to the right.": "EC+",
    "Mediastinum of normal width and position.": "EC- NF+",
    "Mediastinal width hard to judge.": "EC?",
    "No significant cardiac enlargement.": "CM- NF+",
    "Heart size slightly above normal.": "CM+",
    "CT ratio is increased.": "CM+",
    "Heart size has normalised.": "CM- NF+",
    "Water-bottle heart.": "CM+",
    "Mottling of both lungs.": "LO+",
    "The left hemithorax is completely white.": "LO+",
    "A faint opacity, real or artefact.": "LO?",
    "An infiltrate could be hidden behind the heart.": "LO?",
    "No ILD.": "LO- NF+",
    "SOL in the right upper zone.": "LL+",
    "No secondaries.": "LL- NF+",
    "Lung abscess.": "LL+",
    "Metastatic lung disease.": "LL+",
    "Lung parenchyma secondary to infarction.": "",
    "Vessels are cephalised.": "ED+",
    "Not overloaded.": "ED- NF+",
    "Cardially compensated.": "ED- NF+",
    "No septal lines.": "ED- NF+",
    "Borderline congestion.": "ED?",
    "Nothing infective.": "PN- NF+",
    "Pneumonia cleared.": "PN- NF+",
    "Pneumonia in the right clinical setting.": "PN?",
    "Lung fully re-expanded.": "NF+",
    "CPAs clear.": "PE- NF+",
    "Meniscus at the left base.": "PE+",
    "Blunted angle, ?fluid.": "PE?",
    "Pleural adhesions.": "PO+",
    "No # seen.": "FR- NF+",
    "Old fracture or normal variant.": "FR?",
    "Lines removed.": "SD-",
    "Chest tube pulled.": "SD-",
    "Metalwork in the spine.": "SD+",
    "WNL.": "NF+",
    "Grossly normal.": "NF+",
    "No worrying features.": "NF+",
    "Vascular markings normal.": "NF+",
}
SAID_OTHERWISE = {
    "Cardiac shadow occupies more than half the chest.": "CM+",
    "The heart is not what I would call enlarged.": "CM- NF+",
    "Interstitium thickened.": "LO+",
    "Mass-like consolidation.": "CO+",
    "The lingula is collapsed.": "AT+",
    "Both pleural cavities contain fluid.": "PE+",
    "Wire in the right ventricle.": "SD+",
    "Mediastinum narrow.": "EC- NF+",
    "PICC tip in place. No pl. eff.": "PE- SD+ NF+",
    "No sig. effusion.": "PE- NF+",
    "Heart normal. Effusion is mod. no pneumothorax.": "CM- PE+ PT-",
    "I doubt that there is pneumonia.": "PN?",
    "No new fracture. Old ones healed.": "FR+",
    "No fracture apart from the old ones on the right.": "FR+",
    "No focal lesion save for a calcified nodule.": "LL+",
    "Effusion left, none right.": "PE+",
    "History of lung cancer, resected. No recurrence.": "NF+",
    "Past pneumonia. Clear now.": "NF+",
    "No sign of cancer.": "LL- NF+",
    "Near complete evacuation of the pneumothorax.": "PT+",
    "Right IJ removed. Lungs clear.": "SD- NF+",
    "Line tip not visualised.": "SD+",
    "Nothing convincing for pneumonia.": "PN- NF+",
    "Pneumonia is the working diagnosis.": "PN?",
    "D/D infection, edema.": "ED? PN?",
    "Cannot r/o pna.": "PN?",
    "No growth of the nodule.": "LL+",
    "No enlargement of the heart.": "CM- NF+",
    "Heart, hila and mediastinum: normal.": "EC- CM- NF+",
    "Angles sharp, heart normal.": "CM- PE- NF+",
}
TRANSLATED = {
    "Exudate in the left pleural cavity.": "PE+",
    "Heart borders widened.": "CM+",
    "Lungs transparent.": "NF+",
    "Lung parenchyma is free of lesions.": "LL- NF+",
    "Round lesion of 2 cm in S6.": "LL+",
    "Round lesion of 2 cm in the liver. Lungs clear.": "NF+",
    "Malignant process in the right hilum.": "LL+",
    "No congestive signs, no stasis.": "ED- NF+",
    "Fibrous stripes.": "PO+",
    "No traumatic bone changes.": "NF+",
    "Cor: normal. Sinuses free.": "CM- PE- NF+",
}
TABLE = {
    **TRANSLATED,
    **SAID_OTHERWISE,
    **BARE,
    **TECHNICAL,
    **OPERATIONS,
    **WORDS,
    **ASKED_AND_DATED,
    **MISHEARD,
}

GATED = gated(LABELER)


@pytest.mark.parametrize(("text", "expected"), TABLE.items())
def test_sentence(text: str, expected: str) -> None:
    assert sorted(said(text, GATED).split()) == sorted(expected.split())


DENIALS = [
    *("Kein Pneumothorax.", "Pneumothorax ausgeschlossen.", "Weder Fraktur noch Pneumothorax."),
    *("Absence de pneumothorax.", "Pas de pneumothorax.", "Pneumothorax non visible."),
    *(
        "Sans consolidation.",
        "Sin evidencia de consolidacion.",
        "Ningún infiltrado.",
        "No hay edema.",
    ),
    *("Assenza di edema.", "Nessun infiltrato.", "Edema: assente."),
    *("Ausência de edema.", "Não há fratura.", "Sem edema."),
    *("Geen pneumothorax.", "Pneumothorax niet zichtbaar.", "Afwezigheid van pneumothorax."),
]


@pytest.mark.parametrize("text", DENIALS)
def test_denials_in_other_languages_are_no_findings(text: str) -> None:
    assert said(text) == ""
    assert predict(text).problems == ("language: not that of the rules",)


def test_a_sentence_in_another_language_is_left_out_alone() -> None:
    assert said("The heart is enlarged. Kein Pneumothorax.") == "CM+"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("De novo consolidation.", "CO+"),
        ("Dr. de Vries informed. Large effusion.", "PE+"),
        ("ET tube above the carina. LE edema. PAs normal.", "SD+"),
    ],
)
def test_names_and_abbreviations_are_no_other_language(text: str, expected: str) -> None:
    assert said(text) == expected
