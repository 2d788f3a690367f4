"""How sure a model was of each line of its answer: the mean probability of the line's tokens."""

from __future__ import annotations

from collections.abc import Sequence


def line_probs(pieces: Sequence[str], probs: Sequence[float], raw: str) -> list[float] | None:
    """One probability per line of ``raw.split("\\n")``; 0 for a line without tokens.

    The line end counts for the line that it ends, since it says that the mention is whole; so
    does the token that ends the answer.

    Args:
        pieces: the text of every generated token, that of the answer's end included.
        probs: the probability of every token when it was written.

    Returns:
        ``None`` where the tokens' line ends are not those of the answer.
    """
    sums, counts = [0.0], [0]
    for piece, prob in zip(pieces, probs, strict=True):
        sums[-1] += prob
        counts[-1] += 1
        for _ in range(piece.count("\n")):
            sums.append(0.0)
            counts.append(0)
    if len(sums) != raw.count("\n") + 1:
        return None
    return [total / max(count, 1) for total, count in zip(sums, counts, strict=True)]
