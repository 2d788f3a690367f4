"""Equality by type, against values worked out by hand."""

import pytest
from fields.by_hand import item

from eval.kinds.fields.equality import (
    Sameness,
    distinct,
    folded,
    likeness,
    matched,
    relative_error,
    words,
)


@pytest.mark.parametrize(
    ("how", "gold", "said", "same"),
    [
        (Sameness("boolean"), True, True, True),
        (Sameness("boolean"), False, True, False),
        # 1.0 == True in Python; a number is no boolean all the same.
        (Sameness("boolean"), True, 1.0, False),
        (Sameness("number"), 1.0, True, False),
        (Sameness("categorical"), "1", "1", True),
        (Sameness("categorical"), "IIb", "iib", False),
        (Sameness("number"), 0.2, 0.3 - 0.1, True),
        (Sameness("number"), 2.64, 264.0, False),
        (Sameness("number", absolute=0.5), 10.0, 10.5, True),
        (Sameness("number", absolute=0.5), 10.0, 10.6, False),
        (Sameness("number", relative=0.05), 200.0, 190.0, True),
        (Sameness("number", relative=0.05), -200.0, -211.0, False),
        (Sameness("number"), 0.0, 1e-12, False),
        (Sameness("date"), "2018-05-17", "2018-05-17", True),
        (Sameness("date"), "2018-05-17", "2018-05", False),
        (Sameness("date"), "2018-05", "2018-05-17", True),
        (Sameness("date"), "2018", "2018-11", True),
        (Sameness("date"), "2018-05", "2018-06-17", False),
        (Sameness("date", precision="month"), "2018-05-17", "2018-05-30", True),
        (Sameness("date", precision="year"), "2018-05-17", "2018", True),
        (Sameness("date", precision="year"), "2018", "2019-01-01", False),
        (Sameness("text"), "Insufficienza  Mitralica", "insufficienza mitralica", True),
        (Sameness("text"), "età", "ETA'", False),
        (Sameness("text"), "perché", "perche\u0301", True),
        (Sameness("text"), "Straße", "STRASSE", True),
    ],
)
def test_sameness(how: Sameness, gold: object, said: object, same: bool) -> None:
    assert how.same(gold, said) is same  # type: ignore[arg-type]


def test_words_without_a_value_are_compared_as_words() -> None:
    how = Sameness("date")
    impossible = item(None, "31/02/2017")
    assert how.same_item(impossible, item(None, "31/02/2017"))
    assert not how.same_item(impossible, item("2017-03-03", "3/3/2017"))
    assert not how.same_item(item("2017-03-03"), impossible)


def test_likeness_is_levenshtein_over_the_longer_text() -> None:
    # kitten -> sitting: 3 edits of 7 characters.
    assert likeness("Kitten", "sitting") == pytest.approx(4 / 7)
    # abcd -> abxy: 2 of 4, just enough; abcd -> axyz: 3 of 4, not alike at all.
    assert likeness("abcd", "abxy") == 0.5
    assert likeness("abcd", "axyz") == 0.0
    assert likeness("", "") == 1.0
    assert dict(words("La stenosi, la STENOSI aortica")) == {"la": 2, "stenosi": 2, "aortica": 1}
    assert folded(" À\tbîen ") == "a bien"


def test_relative_error() -> None:
    assert relative_error(10.0, 14.0, 4.0) == pytest.approx(4 / 28)
    assert relative_error(0.0, 0.0, 0.0) == 0.0
    assert relative_error(0.0, 3.0, 0.0) == 1.0
    assert relative_error(1e308, -1e308, 1e308) == 1.0


def test_lists_are_matched_as_well_as_they_can_be() -> None:
    near = Sameness("number", absolute=1.0)
    gold, said = [item(1.0), item(2.0)], [item(2.0), item(3.0)]
    # 2 with 2 would leave 1 and 3 alone; 1 with 2 and 2 with 3 is larger.
    assert matched(near, gold, said) == [(0, 0), (1, 1)]
    dates = Sameness("date")
    partial = [item("2018"), item("2018-05-17")]
    assert len(matched(dates, partial, [item("2018-05-17"), item("2018-01-02")])) == 2
    plain = Sameness("text")
    assert matched(plain, [item("a"), item("b")], [item("B"), item("c")]) == [(1, 0)]
    assert [i.raw for i in distinct(plain, [item("Aspirin"), item("ASPIRIN"), item("x")])] == [
        "Aspirin",
        "x",
    ]
