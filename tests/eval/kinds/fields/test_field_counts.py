"""Counts, scores and points of fields, every number worked out by hand."""

import numpy as np
import pytest
from fields.by_hand import NULL, asked, item, says

from eval.kinds.fields.counts import FINE, Count, field_counts, pointed
from eval.kinds.fields.scores import points_of, score, statistics
from labelwright.tasks.fields.values import Status, stated

C = Count
FIRST_COLUMNS = [C.GOLD, C.SAID, C.RIGHT, C.WRONG, C.MISSED, C.INVENTED]

NUMBER = asked("dose", "number", absolute=1.0)
SEX = asked("sex", "categorical", categories=("M", "F"))
DRUGS = asked("drugs", "text", many=True)
CLOSED = asked("dialysis", "boolean", closed=True)
TEXT = asked("diagnosis", "text")
ALL = (NUMBER, SEX, DRUGS, CLOSED, TEXT)

GOLD = [
    {
        "dose": says(80.0),
        "sex": says("M"),
        "drugs": says("aspirin", "statin", "statin"),
        "dialysis": NULL,
        "diagnosis": says("aortic stenosis"),
    },
    {
        "dose": NULL,
        "sex": says("F"),
        "drugs": NULL,
        "dialysis": says(True),
        "diagnosis": says("mitral valve prolapse"),
    },
    {"dose": says(20.0), "drugs": says("heparin"), "dialysis": says(False), "diagnosis": NULL},
]
SAID = [
    {
        "dose": says(81.0),
        "sex": says("F"),
        "drugs": says("Aspirin", "heparin", "insulin"),
        "dialysis": says(False),
        "diagnosis": says("Aortic stenosis"),
    },
    {
        "dose": says(5.0),
        "sex": says("F"),
        "drugs": NULL,
        "dialysis": NULL,
        "diagnosis": says("mitral valve"),
    },
    None,
]


def counted() -> np.ndarray:
    return field_counts(ALL, GOLD, SAID)[0]


def test_counts_of_every_field() -> None:
    total = counted().sum(axis=0)
    # dose: 80~81 right; 5 invented; 20 missed for want of an answer.
    assert total[0, FIRST_COLUMNS].tolist() == [2, 2, 1, 0, 1, 1]
    # sex: F for M wrong, F right; the third document's gold lacks it.
    assert total[1, FIRST_COLUMNS].tolist() == [2, 2, 1, 1, 0, 0]
    assert total[1, C.SCORED] == 2
    # drugs: aspirin right; statin against heparin or insulin wrong, one more invented; then missed.
    assert total[2, FIRST_COLUMNS].tolist() == [3, 3, 1, 1, 1, 1]
    # dialysis: no and silence are one, and only the second document's yes is stated.
    assert total[3, FIRST_COLUMNS].tolist() == [1, 0, 0, 0, 1, 0]
    assert total[3, [C.NULL, C.RIGHT_NULL]].tolist() == [2, 1]
    # diagnosis: right; wrong; the third states nothing and there is no answer.
    assert total[4, FIRST_COLUMNS].tolist() == [2, 2, 1, 1, 0, 0]
    assert total[4, [C.NULL, C.RIGHT_NULL, C.PRESENCE, C.WHOLE]].tolist() == [1, 0, 2, 1]
    # No document is right in all.
    assert total[5, [C.SCORED, C.WHOLE]].tolist() == [3, 0]


def test_texts_and_numbers_are_measured() -> None:
    total = counted().sum(axis=0)
    # "mitral valve" of 12 characters against 21: 9 edits, 12/21 alike.
    assert total[4, C.LIKE] == FINE + round(FINE * 12 / 21)
    assert total[4, C.LIKE_OF] == 2
    assert total[4, [C.WORDS_BOTH, C.WORDS_GOLD, C.WORDS_SAID]].tolist() == [4, 5, 4]
    # Only the first document has two doses: 1 of 80 + 81 + 0.
    assert total[0, [C.OFF, C.OFF_OF]].tolist() == [round(FINE / 161), 1]


def test_scores_follow_from_the_counts() -> None:
    table = counted()
    points = points_of(table, documents=2, values=0, judged=False)
    found = score(table, undefined="zero", points=points)
    # F1 = 2 right / (gold + said) of each field.
    by_hand = [2 / 4, 2 / 4, 2 / 6, 0 / 1, 2 / 4]
    assert found.f1 == pytest.approx(by_hand)
    assert found.macro.f1 == pytest.approx(sum(by_hand) / 5)
    assert found.micro.f1 == pytest.approx(2 * 4 / (10 + 9))
    assert found.micro.precision == pytest.approx(4 / 9)
    assert found.micro.recall == pytest.approx(4 / 10)
    assert found.presence == pytest.approx([1 / 3, 1, 2 / 3, 1 / 3, 2 / 3])
    assert found.specificity == pytest.approx([0, 0, 1, 1 / 2, 0])
    assert found.right == pytest.approx([1 / 3, 1 / 2, 1 / 3, 1 / 3, 1 / 3])
    assert found.exact == 0
    assert found.word_f1[4] == pytest.approx(8 / 9)
    known = statistics(ALL, undefined="zero")
    total = table.sum(axis=0).astype(float)
    assert known["macro_f1"].of(total) == pytest.approx([found.macro.f1, *by_hand])
    assert known["micro_f1"].of(total)[0] == pytest.approx(found.micro.f1)
    # Weights are the values that the gold states: 2, 2, 3, 1, 2.
    assert known["weighted_f1"].of(total)[0] == pytest.approx((1 + 1 + 1 + 0 + 1) / 10)
    assert known["exact"].of(total) == pytest.approx([0, *found.right])
    assert known["specificity"].of(total)[1:] == pytest.approx(found.specificity)
    # drugs: the first is 17 characters long against 23, the second has no answer.
    assert known["likeness"].counted.tolist() == [False, False, True, False, True]


def test_a_score_without_cases_follows_the_rule() -> None:
    table = field_counts([NUMBER, SEX], [{"dose": NULL, "sex": says("M")}], [{"dose": NULL}])[0]
    total = table.sum(axis=0).astype(float)
    for rule, mean in (("zero", 0.0), ("one", 0.5), ("skip", 0.0)):
        assert statistics([NUMBER, SEX], undefined=rule)["macro_f1"].of(total)[0] == mean  # type: ignore[arg-type]
    # An answer that lacks a field is no answer to it.
    assert table[0, 1, [C.MISSED, C.RIGHT_NULL, C.WHOLE]].tolist() == [1, 0, 0]
    # All that the document scores has to be right for the document to be.
    right = field_counts([NUMBER, SEX], [{"sex": says("M")}, {}], [{"sex": says("M")}] * 2)[0]
    assert right[:, -1, [C.SCORED, C.WHOLE]].tolist() == [[1, 1], [0, 0]]


def test_the_papers_points() -> None:
    fields = (
        asked("dose", "number", range=(5.0, 1000.0)),
        SEX,
        asked("angina", "boolean", evident=False),
    )
    said = [
        {
            "dose": stated(item(80.0, "80 mg", (6, 11))),
            "sex": stated(item("M", "maschio", (0, 4))),
            "angina": stated(item(True, "")),
        },
        # Out of range, no category, and words that the text does not hold.
        {
            "dose": stated(item(2000.0, "2000", (0, 4))),
            "sex": stated(item(None, "Moderato", (0, 8))),
            "angina": says(False),
        },
        {"dose": stated(item(7.0, "7 mg")), "sex": NULL, "angina": NULL},
        None,
    ]
    assert said[1] is not None
    assert said[1]["sex"].status is Status.UNREADABLE
    gold: list[dict[str, object]] = [{}, {}, {}, {}]
    table, _ = field_counts(fields, gold, said)  # type: ignore[arg-type]
    judged = pointed(fields, said, table, texts=None, unknown=[0, 0, 2, 0])
    found = points_of(table, documents=3, values=7, judged=judged)
    assert (found.type_errors, found.unknown, found.unsupported) == (2, 2, 1)
    assert (found.narrow, found.whole) == (2 + 4, 2 + 4 + 2)
    # With the text, words that it holds need no place.
    again, _ = field_counts(fields, gold, said)  # type: ignore[arg-type]
    pointed(fields, said, again, texts=["", "", "Lasix 7  MG/die", ""], unknown=[0] * 4)
    assert again[..., C.UNSUPPORTED].sum() == 0
    # Without places and texts nobody can tell.
    bare = [{"dose": says(7.0), "sex": NULL, "angina": NULL}]
    one, _ = field_counts(fields, [{}], bare)
    assert not pointed(fields, bare, one, texts=None, unknown=[0])
    assert points_of(one, documents=1, values=1, judged=False).whole is None
