"""Forms with boxes to tick: what stands beside an empty box is not said.

"[x] Effusion [ ] Pneumothorax" names a pneumothorax only to leave it open, so such items are
blanked out before the text is read, whereas "Effusion: [ ] yes [x] no" keeps its "no". Offsets
stay, since nothing changes its length.
"""

from __future__ import annotations

import re

_BOX = re.compile(r"\[[ \t]*(?P<a>[xX✓✔]?)[ \t]*\]|\((?P<b>[xX✓✔]|[ \t]+)\)|(?P<c>[☐☑☒])")
_ITEM_ENDS = ":\n"


def without_unticked(text: str) -> str:
    """``text`` with the items of empty boxes, and all boxes, as blanks; of the same length.

    A line that begins with a box, or has one right behind a colon, has the boxes before their
    items, any other behind them. Where no box is ticked, only lines that begin with one are a
    form: "Dr [ ]" is none.
    """
    if not any(sign in text for sign in "[(☐☑☒"):
        return text
    found = [_ticked(box) for box in _BOX.finditer(text)]
    if all(found):
        return text
    lines = text.splitlines(keepends=True)
    return "".join(
        _read(each) if any(found) or _BOX.match(each.lstrip()) else each for each in lines
    )


def _ticked(box: re.Match[str]) -> bool:
    return bool((box["a"] or box["b"] or "").strip()) or box["c"] in ("☑", "☒")


def _read(line: str) -> str:
    boxes = list(_BOX.finditer(line))
    if not boxes:
        return line
    lead = line[: boxes[0].start()].rstrip()
    before = not lead or lead[-1] in _ITEM_ENDS
    end = len(line.rstrip())
    chars = list(line)
    for number, box in enumerate(boxes):
        low, high = box.span()
        if before:
            item = (high, boxes[number + 1].start() if number + 1 < len(boxes) else end)
        else:
            item = (boxes[number - 1].end() if number else 0, low)
        chars[low:high] = " " * (high - low)
        if not _ticked(box):
            chars[item[0] : item[1]] = " " * (item[1] - item[0])
        if number and (not lead or not before):
            chars[boxes[number - (not before)].start()] = ";"
    return "".join(chars)
