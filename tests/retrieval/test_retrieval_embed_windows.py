"""Long texts in windows: nothing lost, nothing too long, cut between sentences; one vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from labelwright.errors import CheckpointError
from retrieval.embed_windows import Window, Windows, unit_rows, vectors_of


def words(texts: Sequence[str]) -> list[int]:
    """A token per word, and one more for every eight letters of it."""
    return [sum(1 + len(word) // 8 for word in text.split()) for text in texts]


def letters(texts: Sequence[str]) -> list[int]:
    """Each letter a token, also the spaces between sentences that are put together."""
    return [len(text) for text in texts]


def test_a_text_that_fits_is_one_window() -> None:
    assert Windows(words, 9).of(["Clear lungs.\n\nNo  effusion."]) == [
        [Window("Clear lungs. No effusion.", 5)]
    ]


def test_windows_end_with_sentences() -> None:
    text = "One two three. Four five. Six seven eight nine. Ten."
    assert Windows(words, 5).of([text]) == [
        [Window("One two three. Four five.", 5), Window("Six seven eight nine. Ten.", 5)]
    ]


def test_a_sentence_without_end_is_cut_at_white_space() -> None:
    (windows,) = Windows(words, 3).of(["a b c d e f g"])
    assert [window.text for window in windows] == ["a b c", "d e", "f g"]


def test_a_word_without_end_is_cut_too() -> None:
    (windows,) = Windows(letters, 8).of(["x" * 30])
    assert "".join(window.text for window in windows) == "x" * 30
    assert max(window.tokens for window in windows) <= 8


@pytest.mark.parametrize("count", [words, letters])
@given(
    text=st.lists(st.text(alphabet="ab .\n!x", min_size=1, max_size=40), max_size=12)
    .map(" ".join)
    .filter(str.strip),
    room=st.integers(8, 30),
)
def test_every_word_is_in_a_window_and_every_window_fits(count, text: str, room: int) -> None:
    (windows,) = Windows(count, room).of([text])
    assert "".join("".join(w.text for w in windows).split()) == "".join(text.split())
    assert all(0 < window.tokens <= room for window in windows)
    assert [window.tokens for window in windows] == count([window.text for window in windows])


def compass(windows: list[str]) -> NDArray[np.float32]:
    """North for windows with an "n", else east; of any length."""
    north, east = (0.0, 5.0), (0.25, 0.0)
    return np.array([north if "n" in w else east for w in windows], dtype=np.float32)


def test_the_vector_is_the_mean_weighted_by_tokens() -> None:
    """Three words north and one east: (1/4, 3/4), brought to length one."""
    (vector,) = vectors_of(["n n n. e."], Windows(words, 3), compass, dimension=2)
    np.testing.assert_allclose(vector, np.array([1, 3]) / np.sqrt(10), rtol=1e-6)


def test_windows_that_cancel_out_leave_the_longest() -> None:
    def opposites(windows: list[str]) -> NDArray[np.float32]:
        return np.array([[1.0, 0.0] if "n" in w else [-1.0, 0.0] for w in windows], np.float32)

    (vector,) = vectors_of(["n n. e e."], Windows(words, 2), opposites, dimension=2)
    np.testing.assert_array_equal(vector, [1.0, 0.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_vectors_without_direction_are_refused(bad: float) -> None:
    with pytest.raises(CheckpointError, match="zero or not numbers"):
        unit_rows(np.array([[1.0, 2.0], [bad, bad]], dtype=np.float32))


def test_equal_windows_are_encoded_once() -> None:
    asked: list[str] = []

    def encode(windows: list[str]) -> NDArray[np.float32]:
        asked.extend(windows)
        return compass(windows)

    vectors = vectors_of(["n n. e e.", "e  e.", "n n."], Windows(words, 2), encode, dimension=2)
    assert asked == ["e e.", "n n."]
    np.testing.assert_allclose(vectors, [[0.5**0.5, 0.5**0.5], [1, 0], [0, 1]], atol=1e-6)


def test_batches_keep_to_windows_and_tokens() -> None:
    asked: list[list[str]] = []

    def encode(windows: list[str]) -> NDArray[np.float32]:
        asked.append(windows)
        return compass(windows)

    texts = ["n n n n", "e", "n e", "n", "n n", "e e e", "n n n n n n n"]
    vectors = vectors_of(texts, Windows(words, 7), encode, dimension=2, batch=(3, 6))
    assert asked == [["e", "n", "n e"], ["n n", "e e e"], ["n n n n"], ["n n n n n n n"]]
    assert vectors[:, 1].tolist() == [1, 0, 1, 1, 1, 0, 1]


def test_no_text_gives_no_row() -> None:
    assert vectors_of([], Windows(words, 3), compass, dimension=2).shape == (0, 2)
