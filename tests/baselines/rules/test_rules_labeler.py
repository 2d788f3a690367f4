"""The labeler around the rules: evidence, sections, rejects, pickling, any text at all."""

from __future__ import annotations

import pickle
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.rules.labeler import RulesLabeler
from baselines.rules.phrases import MAX_WORDS, sentences
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Prediction, Reject, Report, Section

LABEL_SET = LabelSet.load("chexpert-14")
LABELER = RulesLabeler.for_label_set(LABEL_SET)


def label(text: str, sections: tuple[Section, ...] = ()) -> Prediction:
    (result,) = LABELER.label_reports([Report("7", text, "test", 3, sections=sections)])
    assert isinstance(result, Prediction)
    return result


def test_evidence_is_the_deciding_mentions() -> None:
    text = "İ No effusion. Large effusion on the left.\nThe heart is not enlarged. Effusions."
    result = label(text)
    quoted = {k: [text[a:b] for a, b in v] for k, v in (result.evidence or {}).items()}
    assert quoted == {
        "Pleural Effusion": ["effusion", "Effusions"],
        "Cardiomegaly": ["heart is not enlarged"],
    }
    assert result.evidence is not None
    assert result.evidence["Pleural Effusion"][0][0] == text.index("effusion on")


def test_sections_that_do_not_count() -> None:
    text = "INDICATION: Cough, pneumonia, known effusion.\nFINDINGS: No edema.\n"
    result = label(text)
    assert result.labels["Pneumonia"] is Certainty.BLANK
    assert result.labels["Edema"] is Certainty.NEGATIVE
    assert result.labels["No Finding"] is Certainty.POSITIVE


def test_given_sections_are_used() -> None:
    text = "Edema. Effusion."
    sections = (Section("history", 0, 6), Section("findings", 7, len(text)))
    found = label(text, sections).labels
    assert found["Edema"] is Certainty.BLANK
    assert found["Pleural Effusion"] is Certainty.POSITIVE


def test_nothing_to_label_is_a_reject_and_never_no_finding() -> None:
    texts = ["", " \n\t", "INDICATION: cough", "...", "??? (:", "INDICATION: cough\nFINDINGS:\n"]
    results = LABELER.label_reports([Report(str(i), t, "f.csv", i) for i, t in enumerate(texts)])
    assert all(isinstance(r, Reject) and "cough" not in r.reason for r in results)
    assert [(r.id, r.source) for r in results if isinstance(r, Reject)] == [
        (str(i), "f.csv") for i in range(len(texts))
    ]


def test_one_result_per_report_in_order() -> None:
    reports = [Report(str(i), "Effusion." if i % 2 else "", "x", i) for i in range(6)]
    assert [r.id for r in LABELER.label_reports(reports)] == list("012345")


def test_describe_names_all_that_answers_depend_on() -> None:
    facts = LABELER.describe()
    assert facts["label_set_sha256"] == LABEL_SET.fingerprint
    assert set(facts["rules_sha256"]) == {"chexpert-14.yaml", "scope-en.yaml"}
    assert LABELER.name == label("Edema.").model == "rules"


def test_it_can_be_sent_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(LABELER))
    report = Report("1", "No effusion, but edema.", "x", 1)
    (mine,), (other,) = LABELER.label_reports([report]), copy.label_reports([report])
    assert isinstance(mine, Prediction)
    assert isinstance(other, Prediction)
    assert mine.labels == other.labels
    assert copy.describe() == LABELER.describe()


def test_a_certainty_that_the_label_set_lacks_becomes_blank() -> None:
    narrow = LabelSet.from_text(
        LABEL_SET.text.replace("key: PN", "key: PN\n    certainties: [positive, negative, blank]")
    )
    (result,) = RulesLabeler.for_label_set(narrow).label_reports(
        [Report("1", "Possible pneumonia.", "x", 1)]
    )
    assert isinstance(result, Prediction)
    assert result.labels["Pneumonia"] is Certainty.BLANK
    assert result.labels["No Finding"] is Certainty.BLANK


WORDS = (
    "no not without cannot be excluded effusion heart enlarged normal mediastinum , ; : . \n and "
    "or is are may represent versus history of pneumonia stable XXXX ___ 1.5 ( ) / İ ß FINDINGS:"
)
SOUP = st.lists(st.sampled_from(WORDS.split(" ")), max_size=60).map(" ".join)


@settings(deadline=None)
@given(st.one_of(st.text(), SOUP))
def test_any_text_gets_a_result_with_offsets_inside_it(text: str) -> None:
    (result,) = LABELER.label_reports([Report("1", text, "x", 1)])
    if isinstance(result, Reject):
        return
    assert list(result.labels) == list(LABEL_SET.names)
    assert result.complete
    assert not LABEL_SET.contradictions(result.labels)
    assert result.evidence is not None
    for name, spans in result.evidence.items():
        assert result.labels[name] is not Certainty.BLANK
        assert spans
        assert all(0 <= start < end <= len(text) for start, end in spans)


@settings(deadline=None)
@given(st.text())
def test_sentences_keep_offsets(text: str) -> None:
    for sentence in sentences(text):
        assert len(sentence.words) <= MAX_WORDS
        for at, word in enumerate(sentence.words):
            start, end = sentence.span(at, at + 1)
            assert len(word) == end - start
            assert text[start:end].lower() == word or not text.isascii()
            assert 0 <= start < end <= len(text)


def test_time_grows_with_the_text_and_not_with_its_square() -> None:
    """Text without full stops is the worst case: ten times the text may take 30 times at most."""
    unit = "heart and no normal effusion or mediastinum , "

    def seconds(count: int) -> float:
        started = time.process_time()
        LABELER.label_reports([Report("1", unit * count, "x", 1, sections=(whole(count),))])
        return time.process_time() - started

    def whole(count: int) -> Section:
        return Section("body", 0, len(unit) * count)

    seconds(100)
    long, short = (min(seconds(count) for _ in range(3)) for count in (3000, 300))
    assert long < 30 * max(short, 0.01)
