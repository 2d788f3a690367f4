"""The shipped chexpert-14 rules on chest CT: other organs in the picture, translated grammar.

Expected labels follow ``docs/labeling-guide.md``; how they are written stands in
``test_rules_kinds.py``.
"""

from __future__ import annotations

import pytest
from rules_tools import said

OTHER_PARTS = {
    "Vertebral heights, alignment and density are normal.": "",
    "The vertebral corpora are normal in height and density.": "",
    "Bone structures show a diffuse reduction of density.": "",
    "Decrease in liver density in line with steatosis.": "",
    "Increased density in the perirenal fat.": "",
    "In the mediastinum, a triangular density of a thymic remnant.": "",
    "Linear density increases in the left lower lobe.": "LO+",
    "The density at the right base has decreased.": "LO+",
    "Opacity over the spine on the lateral film.": "LO+",
    "Nodules in ground glass density in both lungs.": "LL+",
    "Nodular lesions are observed in the liver.": "",
    "A 15 mm mass was seen in the left adrenal gland.": "",
    "In both kidneys, several hypodense lesions.": "",
    "Nodules in both lungs and a cyst in the liver.": "LL+",
    "Nodules in the breast and axilla.": "",
    "Metastases in the liver and the lungs.": "LL+",
    "Metastases in the sixth rib.": "",
    "An effusion of 9 mm is seen in the anterior pericardial area.": "",
    "Effusion reaching a thickness of 5 mm was observed in the pericardial space.": "",
    "Minimal fluid in the anterior mediastinum.": "",
    "Effusion at the perisplenic level.": "",
    "Collapse fracture of L1.": "FR+",
    "Mosaic density differences in both lungs.": "",
    "A mass of the lingula infiltrating the chest wall.": "LL+",
    "Findings of the infiltration of May show complete regression.": "LO- NF+",
    "The nodules have completely regressed.": "LL- NF+",
    "The consolidation has regressed.": "CO+",
    "Small airway disease with mosaic attenuation.": "",
}
GRAMMAR = {
    "Bilateral pleural effusion - thickening was not observed.": "PE- PO- NF+",
    "Active infiltration - mass lesion was not detected.": "LO- LL- NF+",
    "Effusion, pneumothorax were not seen.": "PT- PE- NF+",
    "Cardiomegaly, effusions were not seen.": "CM+ PE-",
    "Small effusion - pneumothorax was not seen.": "PT- PE+",
    "There is a small effusion, pneumothorax was not seen.": "PT- PE+",
    "Collapse is observed in the lingula, effusion, pneumothorax were not observed.": "AT+ PT- PE-",
    "No pleural or pericardial effusion or thickening was detected.": "PE- PO- NF+",
    "No nodular or infiltrative lesion is detected.": "LO- LL- NF+",
    "Consolidations draw attention, and viral pneumonia is considered in their cause.": "CO+ PN?",
    "The findings were evaluated primarily in favor of pneumonia.": "PN?",
    "The appearance was evaluated in favor of pneumonia.": "PN+",
    "In the previous examination of the patient, there is a nodule in the lingula.": "",
    "It was learned that there was a nodule in the right upper lobe.": "",
    "Loss of consolidation is observed in this examination.": "CO- NF+",
}
HEDGES = {
    "The effusions have regressed completely.": "PE- NF+",
    "The effusion has regressed.": "PE+",
    "Commonly reported imaging features of COVID-19 pneumonia.": "PN?",
    "The appearance is not typical for pneumonia, but it could not be excluded.": "PN?",
    "No typical findings of pulmonary edema.": "ED- NF+",
    "The interlobular septa are thickened.": "LO+",
    "The interlobular septa are not thickened.": "LO- NF+",
    "Usual interstitial pneumonia with honeycombing.": "LO+",
    "Organizing pneumonia.": "PN+",
    "Fibrotic bands in the left apex are considered sequelae.": "PO+",
    "The nodules are considered benign.": "LL+",
    "Pneumonia is considered.": "PN?",
    "The density was considered as a nodule.": "LO+ LL?",
    "Fibroatelectatic changes in the lingula.": "PO+",
}
PLACED = {
    "Lung volumes on the low side. Lungs otherwise clear.": "",
    "Diminished lung volumes. The lungs are clear.": "",
    "Slight thoracolumbar curvature. The lungs are clear.": "",
    "Bihilar prominence. The lungs are clear.": "",
    "Lungs are expanded and clear airspace disease.": "LO- NF+",
    "lungs clear consolidation left base": "CO+",
    "Chest. Lungs clear. Left knee. Marked narrowing, large osteophytes.": "NF+",
    "Chest: Lungs clear. Ankle: Degenerative changes. Soft tissue swelling.": "NF+",
    "Left knee. Large osteophytes. Chest. Small nodule in the lingula.": "LL+",
    "Lungs clear. Degenerative changes of the shoulder.": "",
    "There is a mass of the left kidney. The mass measures 5 cm.": "",
    "There is a mass of the left kidney. The lung nodules are unchanged.": "LL+",
    "The rib fracture is not well demonstrated today.": "FR?",
    "This may be artifact or a pulmonary density.": "LO?",
    "The pneumonia of last week's CT is not seen on this film.": "PN?",
    "On a previous outside scan (12 May), the right lower lobe was consolidated.": "",
    "Calcified density in the left mid lung.": "LO+",
    "Calcified density of the aortic arch.": "",
    "Pleural thickening/scarring at both apices.": "PO+",
    "Biapical pleural-parenchymal scarring.": "PO+ LO+",
    "Thickening along the major fissure.": "PO+",
    "Widening of the right paratracheal stripe.": "EC+",
    "Increased markings, possibly chronic lung disease/fibrosis.": "LO+ PO?",
}


@pytest.mark.parametrize(("text", "expected"), (OTHER_PARTS | GRAMMAR | HEDGES | PLACED).items())
def test_chest_ct(text: str, expected: str) -> None:
    assert sorted(said(text).split()) == sorted(expected.split())
