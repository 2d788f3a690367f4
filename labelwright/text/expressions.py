"""Regular expressions that users write, with an end whatever the text.

``(a+)+$`` can take longer on forty letters than anybody waits. So expressions of label sets, files
and flags are run by the library ``regex``, which stops after so much CPU time of this process; all
expressions of one text share an allowance.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import regex

from labelwright.errors import ConfigError, InputError

SECONDS, MORE = 4.0, 12.0
"""CPU seconds that all expressions may take on a text, and more per million characters.

The 132 of ``cardiac-discharge-74``, with all that is done with their matches, take 7 per million.
"""

Expression = regex.Pattern[str]
Match = regex.Match[str]


class SlowExpressionError(InputError):
    """The expressions do not come to an end on a text; its labeler or reader rejects it."""

    def __init__(self) -> None:
        super().__init__(
            f"regular expressions take more than {SECONDS:g} CPU seconds, and {MORE:g} more per "
            "million characters",
            remedy="write them without repetitions of repetitions, such as (a+)+",
        )


def compiled(pattern: str, *, any_case: bool = False) -> Expression:
    """An expression, ``^`` and ``$`` at every line.

    Raises:
        ConfigError: it is none; the message says why, and not what it is.
    """
    try:
        return regex.compile(pattern, regex.MULTILINE | (regex.IGNORECASE if any_case else 0))
    except (regex.error, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"no regular expression ({error})", remedy="put \\ before a sign like ("
        ) from None


class Allowance:
    """What expressions may still take on a text."""

    def __init__(self, text: str) -> None:
        self._left = SECONDS + MORE * len(text) / 1e6

    def matches(self, expression: Expression, text: str) -> Iterator[Match]:
        """All matches of an expression; what is done between them is counted too.

        Raises:
            SlowExpressionError: nothing is left.
        """
        began = time.process_time()
        try:
            yield from expression.finditer(text, timeout=max(self._left, 0.01))
        except TimeoutError:
            raise SlowExpressionError from None
        finally:
            self._left -= time.process_time() - began
