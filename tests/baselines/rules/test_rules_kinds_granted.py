"""The shipped chexpert-14 rules on what a denial takes for granted, and on indirect words.

Expected labels follow ``docs/labeling-guide.md``, written as in ``test_rules_kinds.py``.
"""

from __future__ import annotations

import pytest
from rules_tools import said

THOUGH_ENDS_A_DENIAL = {
    "No pneumothorax, although a small effusion persists.": "PT- PE+",
    "No consolidation, albeit with a small effusion on the left.": "CO- PE+",
    "No edema while a small effusion persists on the left.": "ED- PE+",
    "No pneumothorax, although some edema is seen.": "PT- ED+",
    "No effusion, though the heart is large.": "PE- CM+",
    "No pneumothorax though minor atelectasis persists.": "PT- AT+",
    "No pneumothorax after removal of the drain, but fluid remains.": "PT- SD- PE+",
    "No pneumothorax following drain removal, although an effusion is again seen.": "PT- SD- PE+",
    "No effusion is seen, though it may be hidden.": "PE?",
}
ADVICE_ABOUT_A_KNOWN_THING = {
    "Repeat film to ensure the pneumonia has resolved.": "PN+",
    "CXR in 6 weeks to confirm the consolidation has resolved.": "CO+",
    "Follow up to document clearing of the infiltrate.": "LO+",
    "Continue antibiotics until the pneumonia has cleared.": "PN+",
    "When the pneumonia has cleared, repeat the film.": "PN+",
    "To be sure the edema has gone, repeat tomorrow.": "ED+",
    "Repeat film confirms resolution of the pneumonia.": "PN- NF+",
    "The repeat film shows that the pneumonia has cleared.": "PN- NF+",
    "The pneumonia has cleared, no follow up needed.": "PN- NF+",
}
NO_CONCERN = {
    "Not of concern for malignancy.": "LL- NF+",
    "No concern for pneumonia.": "PN- NF+",
    "The opacity does not raise suspicion of malignancy.": "LO+ LL-",
    "These findings do not suggest pneumonia.": "PN- NF+",
    "No suspicion of pneumothorax.": "PT- NF+",
    "This should not raise the question of a fracture.": "FR- NF+",
    "Nothing that raises concern for pneumonia.": "PN- NF+",
    "Raises the possibility of pneumonia.": "PN?",
    "Does not rule out pneumonia.": "PN?",
}
SHOWS_RESOLUTION = {
    "Complete clearing of the pneumonia.": "PN- NF+",
    "Film shows full resolution of the effusion.": "PE- NF+",
    "Today complete re-expansion of the collapsed lung.": "AT- NF+",
    "Complete resorption of the pneumothorax.": "PT- NF+",
    "Near complete resolution of the effusion.": "PE+",
    "Almost complete clearing of the consolidation.": "CO+",
    "CXR: interval resolution of the effusion.": "PE- NF+",
    "The radiograph demonstrates resolution of the edema.": "ED- NF+",
    "Complete resolution of the effusion has not occurred.": "PE+",
}
NEITHER_HAS_CHANGED = {
    "Neither effusion has resolved.": "PE+",
    "Neither nodule has grown.": "LL+",
    "None of the nodules has changed.": "LL+",
    "None of the nodules have grown.": "LL+",
    "Neither of the effusions is smaller.": "PE+",
    "Neither effusion nor consolidation is seen.": "PE- CO- NF+",
    "No nodule has grown.": "LL+",
    "None of the opacities has cleared.": "LO+",
    "Neither effusion is larger than yesterday.": "PE+",
}
NO_LONGER_THERE = {
    "Pneumothorax no longer present.": "PT- NF+",
    "The edema is no longer with us.": "ED- NF+",
    "Edema no longer an issue.": "ED- NF+",
    "Used to have a pacemaker.": "",
    "Was consolidated, now clear.": "CO- NF+",
    "There was an effusion, now there is none.": "PE- NF+",
    "The effusion that used to be there has gone.": "PE- NF+",
    "The nodule used to be larger.": "LL+",
    "Previous effusion, now smaller.": "PE+",
}
LABORATORY_TESTS = {
    "COVID test positive, lungs clear.": "NF+",
    "COVID PCR neg. No consolidation.": "CO- NF+",
    "COVID pneumonia.": "PN+",
    "COVID +ve, lungs clear.": "NF+",
    "Flu A positive. Lungs clear.": "NF+",
    "Blood cultures positive for staph, small effusion.": "PE+",
    "Findings typical of COVID-19.": "PN+",
    "Troponin negative. No edema.": "ED- NF+",
    "No COVID changes.": "PN- NF+",
}
GRANTED = {
    "No pneumothorax complicating the rib fractures.": "PT- FR+",
    "No pneumothorax associated with the rib fracture.": "PT- FR+",
    "No pneumothorax adjacent to the fracture.": "PT- FR+",
    "No effusion in addition to the atelectasis.": "PE- AT+",
    "No collapse distal to the mass.": "AT- LL+",
    "No cavitation within the consolidation.": "LL- CO+",
    "No edema apart from the chronic effusions.": "ED- PE+",
    "No mass as a cause of the effusion.": "LL- PE+",
    "No explanation for the effusion.": "PE+",
    "No reason for the collapse is seen.": "AT+",
    "No cause of the atelectasis identified.": "AT+",
    "No infection on a background of fibrosis.": "PN- PO+",
    "No acute changes on top of the known fibrosis.": "PO+",
    "No new lesion besides the known nodule.": "LL+",
    "No complication of the known effusion.": "PE+",
    "No underlying mass behind the effusion.": "LL- PE+",
    "No fracture explaining the effusion.": "FR- PE+",
    "No fracture to account for the pneumothorax.": "FR- PT+",
    "No malignancy underlying the effusion.": "LL- PE+",
    "No infiltrate overlying the scar.": "LO+",
    "No tension component to the pneumothorax.": "PT+",
    "No loculation of the effusion.": "PE+",
    "Without an effusion accompanying the pneumonia.": "PE- PN+",
    "No pneumothorax or effusion complicating the known fractures.": "PT- PE- FR+",
}
NOT_GRANTED = {
    "No pneumonia or effusion.": "PN- PE- NF+",
    "No evidence of the effusion.": "PE- NF+",
    "No effusion associated with a mass.": "PE- LL- NF+",
    "No consolidation with effusion.": "CO- PE- NF+",
    "No consolidation in the lung.": "CO- NF+",
    "No residual pneumothorax.": "PT- NF+",
    "No edema and the effusion is gone.": "ED- PE- NF+",
    "No effusion, no fracture and none of the known nodules.": "PE- FR- LL- NF+",
    "No fracture associated with pneumothorax.": "FR- PT- NF+",
    "No pneumonia to explain the fever.": "PN- NF+",
    "No effusion within the pleural space.": "PE- NF+",
    "No mass in the known area.": "LL- NF+",
    "No lesion in the lungs to explain the pain.": "LL- NF+",
    "No recurrence of the pneumothorax.": "PT- NF+",
    "Nothing to suggest the pneumonia has returned.": "PN- NF+",
    "No evidence of chronic effusion.": "PE- NF+",
}
FOR_AND_AGAINST = {
    "Neither confirms nor excludes pneumonia.": "PN?",
    "The film neither confirms nor excludes a fracture.": "FR?",
    "Not able to confirm or refute pneumonia.": "PN?",
    "Unable to confirm or exclude a pneumothorax.": "PT?",
    "Cannot confirm or deny an effusion.": "PE?",
    "Nothing for or against an infection.": "PN?",
    "We can neither prove nor rule out pneumonia.": "PN?",
    "Pneumonia can neither be confirmed nor refuted.": "PN?",
    "No evidence for pneumonia.": "PN- NF+",
}
SIGNS = {
    "Effusion (-).": "PE- NF+",
    "Effusion neg.": "PE- NF+",
    "Effusion (+), pneumothorax (-)": "PE+ PT-",
    "Effusion -ve, PTX -ve.": "PE- PT- NF+",
    "Edema +, effusion +, PTX -.": "ED+ PE+ PT-",
    "Effusion: -, PTX: -, Edema: +.": "PE- PT- ED+",
    "Effusion ++": "PE+",
    "Effusion +/-": "PE?",
    "Atelectasis +++, effusion (+).": "AT+ PE+",
}
WOULD_FIT = {
    "Would fit with pneumonia.": "PN?",
    "Could fit pneumonia.": "PN?",
    "Might be in keeping with edema.": "ED?",
    "Consistent with pneumonia in the right clinical context.": "PN?",
    "In the right clinical setting this would represent pneumonia.": "PN?",
    "Would go with an effusion.": "PE?",
    "Would be typical of edema.": "ED?",
    "Would support pneumonia.": "PN?",
    "In keeping with pneumonia.": "PN+",
}
LAID_TO_TECHNIQUE = {
    "Cardiomegaly, probably projectional.": "CM?",
    "Heart size exaggerated by AP technique.": "CM?",
    "Apparent widening of the mediastinum from supine position.": "EC?",
    "Heart size appears enlarged on this portable film.": "CM+",
    "Enlarged heart on AP view.": "CM+",
    "Opacity at the base is likely due to technique.": "LO?",
    "Heart size accentuated by AP projection.": "CM?",
    "Cardiac silhouette is magnified by portable technique.": "CM?",
    "Heart size is normal given AP technique.": "CM- NF+",
}
IF_ANY = {
    "Small if any effusion.": "PE?",
    "Little if any edema.": "ED?",
    "Trace effusion, if any.": "PE?",
    "Pneumothorax, if present, is tiny.": "PT?",
    "The effusion is small, if at all.": "PE?",
    "Effusion, if at all present, is tiny.": "PE?",
    "Minimal, if any, pleural fluid.": "PE?",
    "Any effusion is small.": "PE?",
    "Any pneumothorax must be tiny.": "PT?",
}
NOT_OBSERVED = {
    "The nodule described previously was not observed on the current examination.": "LL- NF+",
    "The previously reported opacity is not visible on this film.": "LO- NF+",
    "The nodule known on CT is not visible on this film.": "LL?",
}
LIMITED_SEARCH = {
    "Limited evaluation for effusion.": "PE?",
    "Evaluation for pneumothorax is limited.": "PT?",
    "Assessment of effusion is limited by position.": "PE?",
    "Pneumothorax cannot be evaluated on this film.": "PT?",
    "The film is inadequate to assess for pneumothorax.": "PT?",
    "Limits evaluation of the effusion.": "PE+",
    "Evaluate for effusion. The lungs are clear.": "NF+",
    "Obesity limits the sensitivity for nodules. No effusion.": "PE- NF+",
    "Evaluation of the bases is limited. No effusion.": "PE- NF+",
}
RELIEVED = {
    "The effusion has been drained completely.": "PE- NF+",
    "The pneumothorax has been evacuated.": "PT- NF+",
    "The effusion was fully evacuated.": "PE- NF+",
    "The atelectasis has been re-expanded.": "AT- NF+",
    "The effusion has been partly drained.": "PE+",
    "The collapse has been reversed.": "AT- NF+",
    "The collapsed lobe has re-expanded.": "AT- NF+",
    "The left lung has re-expanded.": "NF+",
}
SIGNS_OF_FLUID = {
    "Fluid tracks up the fissure.": "PE+",
    "Fluid level at the right base.": "PE+",
    "Air fluid level in the stomach. No effusion.": "PE- NF+",
    "Tear of the medial meniscus of the left knee.": "",
    "Fluid in the horizontal fissure.": "PE+",
    "Fluid at both bases.": "PE+",
    "No fluid in the pleura.": "PE- NF+",
    "No meniscus at the bases.": "PE- NF+",
}
SIGNS_OF_AIR = {
    "Visceral pleural line visible.": "PT+",
    "Pleural line at the left apex.": "PT+",
    "No pleural line is seen.": "PT- NF+",
    "Deep sulcus sign on the left, suspicious for pneumothorax.": "PT?",
    "No deep sulcus sign.": "PT- NF+",
    "Lung edge visible at the right apex.": "PT+",
    "The visceral pleural line is no longer visible.": "PT- NF+",
}
RATIO = {
    "CTR 60%.": "CM+",
    "CTR: 0.62": "CM+",
    "CTR of 52%.": "CM+",
    "Cardiothoracic ratio 0.49.": "CM- NF+",
    "Cardiothoracic ratio is 55 %.": "CM+",
    "CTR normal.": "CM- NF+",
    "CTR 15/30.": "",
    "The CTR is greater than 0.5.": "CM+",
    "Heart bulky.": "CM+",
}
SHORT_AND_NORMAL = {
    "No secondaries.": "LL- NF+",
    "Nil of note.": "NF+",
    "Nothing of note.": "NF+",
    "Chest WNL.": "NF+",
    "Right base clear today.": "NF+",
    "Both bases clear.": "NF+",
    "Thoracic cage intact.": "NF+",
    "Nothing to note.": "NF+",
    "Pulmonary secondaries.": "LL+",
}
STASIS = {
    "Cardiac stasis.": "ED+",
    "No signs of cardiac stasis.": "ED- NF+",
    "Findings of stasis.": "ED+",
    "Pulmonary venous stasis.": "ED+",
}
TUBES = {
    "NG tube tip in stomach, ok to use.": "SD+",
    "NGT below diaphragm, ok to feed.": "SD+",
    "OG in stomach.": "SD+",
}
HARDLY = {
    "Barely any edema.": "ED+",
    "Scarcely any effusion.": "PE+",
    "Not much effusion left.": "PE+",
    "Very little effusion.": "PE+",
    "Hardly any effusion left.": "PE+",
    "Hardly any change.": "",
    "Scarcely any evidence of pneumonia.": "PN- NF+",
}
REGRESSED = {
    "The opacities seen before have fully regressed.": "LO- NF+",
    "Nodules in the previous examination have disappeared.": "LL- NF+",
    "The effusion observed in the previous examination was resorbed.": "PE- NF+",
    "Consolidation areas have regressed.": "CO+",
    "Opacities in the prior study were not observed in this study.": "LO- NF+",
}
QUERY_ANSWERED = {
    "?PTX - none.": "PT- NF+",
    "? effusion - not seen.": "PE- NF+",
    "?fracture - no sign of one.": "FR- NF+",
    "?pneumonia: no evidence of this.": "PN- NF+",
    "?Infection. The lungs are clear.": "NF+",
}
CONGESTED = {
    "No consolidation, congested vessels.": "CO- ED+",
    "No effusion but congested.": "PE- ED+",
    "Lungs a bit congested.": "ED+",
    "Looks congested.": "ED+",
    "Not congested.": "ED- NF+",
    "Nose congested. Lungs clear.": "NF+",
}
OLD_ONE = {
    "No new effusion, but the old one persists.": "PE+",
    "No new nodules, but the previous ones persist.": "LL+",
    "No new fracture but existing ones are unchanged.": "FR+",
    "No new opacities; the old ones remain.": "LO+",
    "No new infiltrate and the previous one has cleared.": "LO- NF+",
    "No new effusion but the known one is slightly larger.": "PE+",
}
FAULTS_OF_DEVICES = {
    "No complication following PICC insertion.": "SD+",
    "No complication after chest drain removal.": "SD-",
    "No pneumothorax after line placement.": "PT- SD+ NF+",
    "Trachea midline.": "NF+",
    "Fractured sternal wire. No effusion.": "PE-",
    "Pacemaker lead fracture.": "SD+",
    "Broken wire.": "",
    "Kinked line.": "SD+",
    "No catheter fracture.": "SD+",
    "No evidence of lead displacement.": "SD+",
    "No tube malposition.": "SD+",
    "No lines.": "SD-",
}
UNCLEAR_WHETHER = {
    "Unclear if this opacity is pneumonia.": "LO+ PN?",
    "Unsure whether the effusion is loculated.": "PE+",
    "Not clear whether the consolidation is due to infection.": "CO+ PN?",
    "It is uncertain whether there is an effusion.": "PE?",
    "Unclear whether an opacity is present.": "LO?",
    "Hard to say if the shadow is pneumonia.": "LO+ PN?",
}
QUERY_BEHIND_A_SIGN = {
    "Right diaphragm not seen, ?effusion.": "PE?",
    "Failure to see an effusion.": "PE- NF+",
    "Left costophrenic angle lost, ? effusion.": "PE?",
}
CTPA = {
    "CTPA: no PE. No infarct.": "NF+",
    "Mitral clip. No effusion.": "PE-",
    "No PE, no effusion.": "PE- NF+",
    "Acute infarct in the left MCA territory.": "",
    "Pulmonary infarct at the right base.": "",
}
WHITE_AND_TRACHY = {
    "Trachy in situ, lungs clear.": "SD+ NF+",
    "Trachi in situ.": "SD+",
    "Trach tube in place.": "SD+",
    "Lungs white.": "LO+",
    "White lungs.": "LO+",
    "Bilateral whiteout.": "LO+",
    "Both lungs are white.": "LO+",
    "Tracheostomy tube.": "SD+",
    "Left lung totally white.": "LO+",
}
COLLECTED_AGAIN = {
    "No ILD.": "LO- NF+",
    "No reaccumulation of the effusion.": "PE- NF+",
    "Reaccumulation of fluid.": "PE+",
    "Fluid has reaccumulated.": "PE+",
}
ABSCESS = {
    "Normal thymus. Lungs clear.": "NF+",
    "Abscess in the left lung.": "LL+",
    "No abscess.": "",
}
VEINS_FOR_LINES = {
    "Right subclavian in place.": "SD+",
    "Right IJ in SVC.": "SD+",
    "Left femoral line.": "SD+",
    "Right IJ removed.": "SD-",
    "Stenosis of the left subclavian artery. No effusion.": "PE- NF+",
    "Interval removal of the right IJ.": "SD-",
    "Placement of left subclavian. No pneumothorax.": "SD+ PT- NF+",
    "Right jugular, tip in SVC.": "SD+",
    "The left subclavian vein is patent.": "",
}
REQUESTED = {
    "CXR requested ?pneumonia. Lungs clear.": "NF+",
    "Film requested ? effusion.": "",
    "CXR please ?pneumonia.": "",
    "Requested for ?PTX.": "",
}
EXPLAINED_AS_NORMAL = {
    "The nodule at the left base is a nipple shadow.": "",
    "Shadow due to overlying clothing.": "",
    "Opacity from a skin fold.": "",
    "Nodular density is a button.": "",
    "Opacity over the left lung due to overlying tubing.": "SD+",
    "Opacity due to pneumonia.": "LO+ PN+",
    "Opacity is an artifact.": "",
    "Density from hair braid.": "",
}
PROBABLY_NOT = {
    "Likely no fracture.": "FR?",
    "Lungs probably clear.": "",
    "Possibly no effusion.": "PE?",
    "No effusion, probably.": "PE?",
    "There is probably no pneumothorax.": "PT?",
}
MOVED_NOT_REMOVED = {
    "No Kerley lines.": "ED- NF+",
    "No B lines.": "ED- NF+",
    "No fissure lines.": "",
    "The ETT has been withdrawn 3 cm.": "SD+",
    "PICC withdrawn to the SVC.": "SD+",
    "PICC has been withdrawn.": "SD-",
    "The tube was pulled back slightly.": "SD+",
    "Chest tube has been pulled.": "SD-",
    "NGT has been withdrawn into the esophagus.": "SD+",
}
RADIATION = {
    "Radiation fibrosis in the right upper lobe.": "PO+",
    "Radiation pneumonitis.": "",
    "No radiation fibrosis.": "PO- NF+",
    "Liver fibrosis.": "",
}
TABLE = (
    THOUGH_ENDS_A_DENIAL
    | ADVICE_ABOUT_A_KNOWN_THING
    | NO_CONCERN
    | SHOWS_RESOLUTION
    | NEITHER_HAS_CHANGED
    | NO_LONGER_THERE
    | LABORATORY_TESTS
    | GRANTED
    | NOT_GRANTED
    | FOR_AND_AGAINST
    | SIGNS
    | WOULD_FIT
    | LAID_TO_TECHNIQUE
    | IF_ANY
    | NOT_OBSERVED
    | LIMITED_SEARCH
    | RELIEVED
    | SIGNS_OF_FLUID
    | SIGNS_OF_AIR
    | RATIO
    | SHORT_AND_NORMAL
    | STASIS
    | TUBES
    | HARDLY
    | REGRESSED
    | QUERY_ANSWERED
    | CONGESTED
    | OLD_ONE
    | FAULTS_OF_DEVICES
    | UNCLEAR_WHETHER
    | QUERY_BEHIND_A_SIGN
    | CTPA
    | WHITE_AND_TRACHY
    | COLLECTED_AGAIN
    | ABSCESS
    | VEINS_FOR_LINES
    | REQUESTED
    | EXPLAINED_AS_NORMAL
    | PROBABLY_NOT
    | MOVED_NOT_REMOVED
    | RADIATION
)


@pytest.mark.parametrize("text", TABLE)
def test_what_a_sentence_says(text: str) -> None:
    assert sorted(said(text).split()) == sorted(TABLE[text].split())
