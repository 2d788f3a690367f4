"""What the shipped chexpert-14 rules say of sentences written for this test.

Expected labels follow the published conventions (Irvin et al. 2019) as the head of
``baselines/rules/chexpert-14.yaml`` settles them. ``PE+ PT-`` means: Pleural Effusion positive,
Pneumothorax negative, every other observation blank; ``?`` is uncertain.
"""

from __future__ import annotations

import pytest

from baselines.rules.labeler import RulesLabeler
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Report

LABEL_SET = LabelSet.load("chexpert-14")
LABELER = RulesLabeler.for_label_set(LABEL_SET)
SIGNS = {Certainty.POSITIVE: "+", Certainty.NEGATIVE: "-", Certainty.UNCERTAIN: "?"}

PLAIN = {
    "The upper mediastinum looks widened.": "EC+",
    "Mediastinal widening has progressed since Monday.": "EC+",
    "Marked prominence of the superior mediastinum.": "EC+",
    "The heart is markedly enlarged.": "CM+",
    "Massive cardiomegaly.": "CM+",
    "Enlarged heart.": "CM+",
    "Increased heart size compared with last year.": "CM+",
    "Enlargement of the cardiac silhouette.": "CM+",
    "The cardiomediastinal silhouette is enlarged.": "EC+ CM+",
    "Patchy opacity at the right base.": "LO+",
    "New infiltrates in both lower zones.": "LO+",
    "Airspace disease in the lingula.": "LO+",
    "Air-space disease in the lingula.": "LO+",
    "Coarse interstitial markings.": "LO+",
    "Linear scarring in the middle lobe.": "LO+",
    "A 9 mm nodule lies in the left apex.": "LL+",
    "Spiculated mass of the right upper lobe.": "LL+",
    "Several lung metastases.": "LL+",
    "Florid pulmonary oedema.": "ED+",
    "Pulmonary vascular congestion.": "ED+",
    "Findings of heart failure.": "ED+",
    "The central vasculature is engorged.": "ED+",
    "Dense consolidation of the left lower lobe.": "CO+",
    "Lingular pneumonia.": "PN+",
    "Aspiration pneumonitis.": "PN+",
    "Discoid atelectasis on the left.": "AT+",
    "Collapse of the left lower lobe.": "AT+",
    "Tiny apical pneumothorax.": "PT+",
    "Moderate bilateral effusions.": "PE+",
    "Large hydropneumothorax.": "PT+ PE+",
    "Pleural fluid tracks into the fissure.": "PE+",
    "Thick pleural plaques and pleural thickening on both sides.": "PO+",
    "Bilateral apical capping.": "PO+",
    "Healed fracture of the eighth rib.": "FR+",
    "The clavicle is fractured.": "FR+",
    "A dual lead pacemaker is in place.": "SD+ NF+",
    "The PICC ends in the lower cava.": "SD+ NF+",
    "Endotracheal tube 3 cm above the carina.": "SD+ NF+",
    "Right chest port.": "SD+ NF+",
}
NEGATED = {
    "No effusion.": "PE- NF+",
    "No pneumothorax or pleural effusion.": "PT- PE- NF+",
    "No pneumothorax, effusion, or consolidation.": "PT- PE- CO- NF+",
    "There is neither oedema nor consolidation.": "ED- CO- NF+",
    "Without evidence of pneumonia.": "PN- NF+",
    "Negative for pneumothorax.": "PT- NF+",
    "The lungs are free of infiltrates.": "LO- NF+",
    "The lungs are clear of consolidation.": "CO- NF+",
    "Absence of a pleural effusion.": "PE- NF+",
    "A pneumothorax is not seen.": "PT- NF+",
    "Pleural effusion is no longer visible.": "PE- NF+",
    "Fracture: none.": "FR- NF+",
    "Lungs show no suspicious nodules.": "LL- NF+",
    "No opacity to suggest pneumonia.": "LO- PN- NF+",
    "Nothing to suggest pulmonary edema.": "ED- NF+",
    "No focal consolidation, large pleural effusion, or pneumothorax is seen.": "CO- PE- PT- NF+",
    "No visible pneumothorax.": "PT- NF+",
    "The previously seen effusion has resolved.": "PE- NF+",
    "Interval resolution of the right pneumothorax.": "PT- NF+",
    "Pneumonia has been ruled out.": "PN- NF+",
    "The chest tube has been removed.": "SD- NF+",
    "Removal of the nasogastric tube.": "SD- NF+",
    "No displaced rib fracture.": "FR- NF+",
    "No pleural thickening.": "PO- NF+",
    "No atelectasis.": "AT- NF+",
    "Effusion or pneumothorax is not identified.": "PE- PT- NF+",
    "NO EFFUSION OR PNEUMOTHORAX": "PE- PT- NF+",
    "Pneumothorax: none. Effusion: small, left.": "PT- PE+",
    "Pneumothorax: absent.": "PT- NF+",
    "Pneumothorax: no\nEffusion: no\nHeart: enlarged": "PT- PE- CM+",
    "PLEURA: No effusion, definite pneumothorax, or consolidation.": "PE- PT- CO- NF+",
    "Neither effusion, pneumothorax nor consolidation is appreciated.": "PE- PT- CO- NF+",
    "Clear lungs w/o edema.": "ED- NF+",
    "Lines and tubes: none.": "SD- NF+",
}
NORMAL_PARTS = {
    "Heart size is normal.": "CM- NF+",
    "Normal heart size.": "CM- NF+",
    "The heart is not enlarged.": "CM- NF+",
    "No enlargement of the cardiac silhouette.": "CM- NF+",
    "Heart size at the upper limits of normal.": "CM- NF+",
    "Mediastinal contours are unremarkable.": "EC- NF+",
    "The heart and mediastinum are normal.": "CM- EC- NF+",
    "Normal heart and mediastinum.": "CM- EC- NF+",
    "Heart size, mediastinal contours, and hila are within normal limits.": "CM- EC- NF+",
    "The cardiomediastinal silhouette is within normal limits.": "EC- NF+",
    "Stable heart size.": "NF+",
    "Stable heart size and normal mediastinum.": "EC- NF+",
    "Heart size is stable and mildly enlarged.": "CM+",
    "The heart is enlarged, mediastinum normal.": "CM+ EC-",
    "Normal mediastinum, enlarged heart.": "CM+ EC-",
    "Costophrenic angles are sharp.": "PE- NF+",
    "The pleural spaces are clear.": "PE- NF+",
    "The left costophrenic angle is blunted.": "",
    "The lungs are clear.": "NF+",
    "No acute cardiopulmonary abnormality.": "NF+",
    "Borderline enlarged heart.": "CM+",
    "Borderline cardiomegaly.": "CM+",
    "The right heart border is obscured.": "NF+",
    "The cardiac, mediastinal and hilar contours are normal.": "CM- EC- NF+",
    "Interstitial markings are normal.": "LO- NF+",
    "The vasculature is not engorged.": "ED- NF+",
}
UNCERTAIN = {
    "Possible small effusion.": "PE?",
    "This may represent pneumonia.": "PN?",
    "Opacity, which could reflect atelectasis.": "LO+ AT?",
    "Opacity suspicious for pneumonia.": "LO+ PN?",
    "Cannot exclude a small pneumothorax.": "PT?",
    "Pneumonia cannot be excluded.": "PN?",
    "A tiny pneumothorax is not entirely excluded.": "PT?",
    "Atelectasis versus consolidation.": "AT? CO?",
    "Pneumonia is suspected.": "PN?",
    "Suspected fracture of the sixth rib.": "FR?",
    "Probable trace effusion.": "PE?",
    "The differential includes edema and pneumonia.": "ED? PN?",
    "Findings concerning for pneumonia or aspiration.": "PN?",
    "Questionable nodule at the left base.": "LL?",
    "Pneumonia is unlikely.": "PN?",
    "Cardiomegaly cannot be assessed.": "CM?",
    "Could be atelectasis, pneumonia, or contusion.": "AT? PN?",
    "In the right clinical setting, this is compatible with pneumonia.": "PN+",
    "In the appropriate clinical setting, this is compatible with pneumonia.": "PN?",
    "Consolidation consistent with pneumonia.": "CO+ PN+",
}
DOUBLE_SCOPE = {
    "No effusion; pneumonia cannot be excluded.": "PE- PN?",
    "No effusion, pneumonia cannot be excluded.": "PE- PN?",
    "No pneumothorax, but there is a small effusion.": "PT- PE+",
    "No pneumothorax, small left effusion.": "PT- PE+",
    "No effusion, and the heart is enlarged.": "PE- CM+",
    "Cardiomegaly without edema.": "CM+ ED-",
    "Effusion has resolved and atelectasis has improved.": "PE- AT+",
    "No edema. Possible pneumonia.": "ED- PN?",
    "The heart is enlarged and an effusion is not seen.": "CM+ PE-",
    "Atelectasis rather than pneumonia.": "AT+ PN-",
    "No infiltrate, possible effusion.": "LO- PE?",
    "No pneumothorax although a chest tube was withdrawn.": "PT- SD- NF+",
    "No pneumothorax, however consolidation has increased.": "PT- CO+",
}
CHANGE = {
    "No change in the left effusion.": "PE+",
    "No significant interval change in moderate cardiomegaly.": "CM+",
    "Atelectasis without significant interval change.": "AT+",
    "Unchanged pneumothorax.": "PT+",
    "Stable nodules.": "LL+",
    "Decreasing edema.": "ED+",
    "Near complete resolution of the effusion.": "PE+",
    "The pneumonia has not resolved.": "PN+",
    "Edema is not increased.": "ED+",
}
NO_MENTION = {
    "History of pneumonia.": "NF+",
    "Evaluate for pneumothorax.": "NF+",
    "Rule out pneumonia.": "NF+",
    "Follow up to exclude an underlying mass.": "NF+",
    "Pericardial effusion.": "NF+",
    "Pleural and pericardial effusions.": "PE+",
    "Soft tissue edema of the neck.": "NF+",
    "Calcified granuloma.": "",
    "Degenerative disease of the spine.": "",
    "Low lung volumes.": "",
    "Tortuous aorta.": "",
    "No scoliosis.": "NF+",
    "Wedge deformity of T12.": "",
    "Mediastinal lymph nodes are prominent.": "",
    "Bone metastases.": "NF+",
    "Hypoinflation leads to crowding.": "",
    "XXXX XXXX ___.": "NF+",
    "If there is concern for fracture, dedicated views are advised.": "NF+",
    "The tip of the scapula is intact.": "NF+",
    "Intact sternotomy wires.": "",
    "Opacity from prior pneumonia.": "LO+",
}
SEVERAL = {
    "Small effusion. No effusion on the right.": "PE+",
    "Possible pneumonia. No pneumonia was seen last week.": "PN?",
    "Possible nodule. The nodule is 5 mm wide.": "LL+",
    "1. Cardiomegaly.\n2. No edema.": "CM+ ED-",
    "No consolidation or\npneumothorax.": "CO- PT- NF+",
    "No edema or effusion\nCardiomegaly\nLarge nodule": "ED- PE- CM+ LL+",
    "Findings:\n- effusion\n- no edema": "PE+ ED-",
    "Nodule of 1.7 cm. no mass": "LL+",
    "Atelectasis.No effusion.": "AT+ PE-",
    "No XXXX effusion or ___ pneumothorax.": "PE- PT- NF+",
    "Bibasilar atelectasis/scarring.": "AT+ LO+",
}
HEADINGS = {
    "Lines and tubes: No hardware.": "SD- NF+",
    "Lines and tubes:\nNo hardware is seen.": "SD- NF+",
    "Lines and tubes: Support devices have been removed.": "SD- NF+",
    "Support devices: None.": "SD- NF+",
    "Lines and tubes: Right PICC.": "SD+ NF+",
    "Lines and tubes:\n\nLungs: No edema.": "ED- NF+",
    "Pneumothorax: No pneumothorax.": "PT- NF+",
    "Pleural effusion: No pleural fluid.": "PE- NF+",
    "Effusion: small, left.": "PE+",
    "Effusion:\nSmall on the left.": "PE+",
    "Pneumonia: possible.": "PN?",
    "Left basilar opacity: pneumonia?": "LO+ PN?",
    "Bones: ? rib fracture": "FR?",
}
HEDGES = {
    "? pneumonia.": "PN?",
    "?pneumonia": "PN?",
    "Left base opacity, ? pneumonia.": "LO+ PN?",
    "Left base opacity (?pneumonia).": "LO+ PN?",
    "Small effusion. Pneumonia?": "PE+ PN?",
    "Opacity may be atelectasis or pneumonia.": "LO+ AT? PN?",
    "This may be atelectasis or less likely pneumonia.": "AT? PN?",
    "Opacity which may represent either atelectasis, scarring, or pneumonia.": "LO+ AT? PN?",
    "Atelectasis or consolidation, difficult to distinguish.": "AT? CO?",
    "Likely atelectasis and/or pneumonia.": "AT? PN?",
    "Basilar shadowing may be secondary to atelectasis or consolidation.": "AT? CO?",
    "Left base change, likely atelectasis or scarring.": "AT? LO?",
    "Streaky opacity suggests atelectasis or early pneumonia.": "LO+ AT? PN?",
    "Could represent pneumonia, atelectasis or aspiration.": "AT? PN?",
    "Findings would be compatible with mild atelectasis.": "AT?",
    "Difficult to exclude a small effusion.": "PE?",
    "Difficult to entirely exclude pneumonia.": "PN?",
    "Pneumonia is difficult to exclude.": "PN?",
    "Infection is a consideration.": "PN?",
    "The mediastinum appears wide, likely due to rotation.": "EC?",
    "The mediastinum appears prominent, which may be due to rotation.": "EC?",
    "Apparent widening of the mediastinum may be related to positioning.": "EC?",
    "no pleural effusion is seen although there may be aspiration pneumonia": "PE- PN?",
    "Negative for effusion; equivocal right middle lobe opacity.": "PE- LO?",
    "questionable heart failure but no fractures": "ED? FR-",
    "Pleural effusion remains possible": "PE?",
    "Mild fibrosis suspected.": "PO?",
}
WORDING = {
    "Changes compatible with pneumonia or edema.": "PN+ ED+",
    "Heart size otherwise normal.": "CM- NF+",
    "The cardiomediastinal silhouette is not remarkable.": "EC- NF+",
    "The heart and mediastinum are not remarkable.": "CM- EC- NF+",
    "No effusion, otherwise normal heart.": "PE- CM- NF+",
    "Cardiomegaly, otherwise normal chest.": "CM+",
    "The heart is enlarged but otherwise unremarkable.": "CM+",
    "The heart is stable, otherwise normal mediastinum.": "EC- NF+",
    "No collapse.": "AT- NF+",
    "No focal collapse or consolidation.": "AT- CO- NF+",
    "Collapse of the T12 vertebral body.": "",
    "No vertebral collapse.": "NF+",
    "The pleura is thickened.": "PO+",
    "The pleura is not thickened.": "PO- NF+",
    "Thickened pleura at both apices.": "PO+",
    "No plaques.": "PO- NF+",
    "Aortic plaque.": "",
    "No pleural-based abnormality.": "PO- NF+",
    "Scarring of the pleura.": "PO+",
    "No overt congestive failure.": "ED- NF+",
    "Mild congestive failure.": "ED+",
    "No congestive changes.": "ED- NF+",
    "The lungs are not edematous.": "ED- NF+",
    "The pleural spaces are free of fluid.": "PE- NF+",
    "Pulmonary fibrosis.": "PO+",
    "Interstitial edema.": "ED+",
    "No interstitial edema.": "ED- NF+",
    "There is no consolidative change or effusion.": "CO- PE- NF+",
    "No pneumonic change.": "PN- NF+",
    "No emphysematous changes.": "NF+",
    "Heart size is within normal limits. The cardiomediastinal silhouette is enlarged.": "CM+ EC+",
    "The cardiomediastinal silhouette is normal.": "EC- NF+",
    "The cardiomediastinal silhouette is not enlarged.": "EC- CM- NF+",
    "No indwelling lines.": "SD- NF+",
    "No lines or tubes.": "SD- NF+",
    "Again seen is a 15 mm lesion in the left lung.": "LL+",
    "No pneumothorax following chest tube removal.": "PT- SD- NF+",
    "Arthritic changes of the shoulders.": "",
    "Coronary stent.": "",
    "Cystic fibrosis.": "",
    "Nodular opacities.": "LO+",
    "Mediastinal stent.": "SD+",
    "Thickened minor fissure.": "PO+",
}
SPELLING = {
    "Small pnuemothorax.": "PT+",
    "No effusoin.": "PE- NF+",
    "Mild cardiomegally.": "CM+",
    "Bibasilar atelectesis.": "AT+",
    "No penumonia.": "PN- NF+",
    "Patchy opactiy.": "LO+",
    "No consoldation.": "CO- NF+",
    "No pnemothorax.": "PT- NF+",
    "Rib fractrue.": "FR+",
}
TABLE = PLAIN | NEGATED | NORMAL_PARTS | UNCERTAIN | DOUBLE_SCOPE | CHANGE | NO_MENTION | SEVERAL
TABLE |= HEADINGS | HEDGES | WORDING | SPELLING


def said(text: str) -> str:
    result = LABELER.label_reports([Report("1", text, "test", 1)])[0]
    assert isinstance(result, Prediction)
    found = {LABEL_SET.by_name[name].key: c for name, c in result.labels.items()}
    return " ".join(key + SIGNS[c] for key, c in found.items() if c in SIGNS)


@pytest.mark.parametrize(("text", "expected"), TABLE.items())
def test_sentence(text: str, expected: str) -> None:
    assert sorted(said(text).split()) == sorted(expected.split())


def test_the_table_is_broad() -> None:
    """Every observation occurs with every certainty it can take, bar those that rules never give.

    Enlarged Cardiomediastinum, Pleural Other and Support Devices have no uncertain sentence.
    """
    assert len(TABLE) >= 120
    seen = {item for expected in TABLE.values() for item in expected.split()}
    for label in LABEL_SET.labels:
        assert label.key + "+" in seen
        if Certainty.NEGATIVE in label.certainties:
            assert label.key + "-" in seen


def test_a_labeled_report_obeys_the_label_set() -> None:
    for text in TABLE:
        result = LABELER.label_reports([Report("1", text, "test", 1)])[0]
        assert isinstance(result, Prediction)
        assert not LABEL_SET.contradictions(result.labels)
        assert result.complete
