"""Search: the index leaves no note out that the pattern finds, and a search ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_tools import TEXTS, project, take_in

from review.store import trigrams
from review.web import search
from review.web.search import _compiled, _scan

PIECES = st.sampled_from(
    ["gout", "pa", "in", ".", "*", "?", "+", "(a)", "(b|c)", "[xy]", "\\w", "\\d{2}", " ", "{2}",
     "^", "$", "x{0,2}", "(?:ab)?", "\\."]
)  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [
        ("left lung.*mass", ["left lung", "mass"]),
        ("nodules?", ["nodule"]),
        ("gout|pain", []),
        ("(gout)?pain", ["pain"]),
        (r"\d{3} kg", [" kg"]),
        ("abc*def", ["def"]),
        ("ab{0,3}cde", ["cde"]),
        ("[abc]def", ["def"]),
        ("(?i)gout", []),
    ],
)
def test_what_every_match_must_hold(pattern: str, pieces: list[str]) -> None:
    assert trigrams.needed([pattern]) == pieces


@given(
    st.lists(PIECES, min_size=1, max_size=6).map("".join), st.text("goutpainxyabc 12.", max_size=30)
)
def test_no_match_lacks_what_is_needed(pattern: str, text: str) -> None:
    try:
        match = re.search(pattern, text)
    except re.error:
        return
    if match:
        assert all(piece in text for piece in trigrams.needed([pattern]))


@pytest.mark.parametrize(
    "pattern", ["canc\\w+ of", "gout", "Aspirin for gout", "(a+)+$", "aspirin"]
)
def test_the_index_finds_what_the_scan_finds(tmp_path: Path, pattern: str) -> None:
    store = project(tmp_path / "p")
    take_in(store, {"n1": TEXTS["n1"], "n2": TEXTS["n2"]})
    trigrams.build(store)
    take_in(store, TEXTS)
    pieces = trigrams.needed([pattern])
    with store.reading() as connection:
        assert trigrams.exists(connection)
        compiled = _compiled(pattern, "")
        plain, with_index = (
            [hit.ext for hit in _scan(connection, compiled, "", 0, each)[0]]
            for each in ([], pieces)
        )
    assert with_index == plain


def test_a_search_ends_when_its_time_is_over_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = project(tmp_path / "p")
    take_in(store, {f"n{n}": f"note {'y' * n}" for n in range(60)})
    monkeypatch.setattr(search, "SECONDS", -1.0)
    with store.reading() as connection:
        hits, onward, cut = _scan(connection, _compiled("zebra", ""), "", 0, [])
        assert (hits, onward, cut) == ([], 1, True)
        hits, onward, cut = _scan(connection, _compiled("yyy", ""), "", onward, [])
        assert onward > 1
