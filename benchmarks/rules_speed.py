"""Speed of the rule-based labeler on one core, and of its phrase search beside a plain loop.

    python benchmarks/rules_speed.py [--reports 3000]

The reports are put together from sentences written here, with other words in every report, so
that nothing can be answered from memory. Time is the process's CPU time: other work on the
machine does not count. The plain loop compiles one regular expression per phrase and searches
with each in turn; both searches must find the same phrases at the same places.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator, Sequence

from measure import seconds

from baselines.rules.labeler import RulesLabeler, rule_book
from baselines.rules.phrases import PhraseTrie, Sentence, sentences
from baselines.rules.rule_book import RuleBook
from labelwright.label_set import LabelSet
from labelwright.records import Report

SIDES = ("left", "right", "bilateral", "bibasilar", "lingular", "apical", "retrocardiac")
SIZES = ("small", "trace", "moderate", "stable", "new", "mild", "subtle", "increasing")
SENTENCES = (
    "The heart is {size} enlarged and the mediastinal contours are unremarkable.",
    "Heart size, mediastinum, and pulmonary vessels are within normal limits.",
    "There is a {size} {side} pleural effusion with adjacent atelectasis.",
    "No focal consolidation, {side} effusion, or pneumothorax is seen.",
    "A {size} {side} opacity may represent pneumonia; a mass cannot be excluded.",
    "No change in the {size} {side} nodule measuring {number} mm.",
    "The {side} catheter ends {number} mm above the carina.",
    "The lungs are clear, without edema on the {side} side.",
    "Healed {side} rib fractures. Degenerative change of the spine at level {number}.",
    "In comparison with study {number}, the {side} opacity has resolved.",
)


def texts(count: int, seed: int = 0) -> list[str]:
    """Reports of five sentences, the first two as findings in a section of their own."""
    rng = random.Random(seed)

    def sentence() -> str:
        return rng.choice(SENTENCES).format(
            size=rng.choice(SIZES), side=rng.choice(SIDES), number=rng.randrange(10_000)
        )

    return [
        f"INDICATION: Cough, case {number}.\nFINDINGS: {' '.join(sentence() for _ in range(4))}\n"
        f"IMPRESSION: {sentence()}"
        for number in range(count)
    ]


def phrases(book: RuleBook) -> Iterator[str]:
    """Every phrase of the rules, each once."""
    rules = [*book.observations, *([book.rest.other] if book.rest else [])]
    seen: dict[str, None] = dict.fromkeys([*book.normal, *book.unchanged])
    for group in book.triggers.values():
        seen.update(dict.fromkeys(group))
    for observation in rules:
        seen.update(dict.fromkeys([*observation.mentions, *observation.not_mentions]))
        for part in observation.parts:
            for group in (part.names, part.changed, part.unclear, part.normal):
                seen.update(dict.fromkeys(group))
    yield from seen


def pattern(phrase: str) -> re.Pattern[str]:
    """One regular expression for one phrase, on words joined and ended by a space."""
    pieces = []
    for position in phrase.lower().split():
        if position.startswith("~"):
            pieces.append(rf"(?:\w+(?:['’.,]\w+)* ){{0,{position[1:]}}}")
            continue
        if position == ".":
            pieces.append(r"\Z")
            continue
        optional = position.endswith("?") and position != "?"
        forms = (position[:-1] if optional else position).split("|")
        words = "|".join(re.escape(f.removesuffix("*")) + r"\S*" * f.endswith("*") for f in forms)
        pieces.append(f"(?:(?:{words}) )" + "?" * optional)
    return re.compile(rf"(?<!\S)(?={''.join(pieces)})")


def by_loop(compiled: Sequence[tuple[str, re.Pattern[str]]], sentence: Sentence) -> set[object]:
    """What the plain loop finds: ``(phrase, first word)``."""
    joined = "".join(f"{word} " for word in sentence.words)
    return {
        (phrase, joined.count(" ", 0, match.start()))
        for phrase, regex in compiled
        for match in regex.finditer(joined)
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=3000)
    arguments = parser.parse_args()
    label_set = LabelSet.load("chexpert-14")
    labeler = RulesLabeler.for_label_set(label_set)
    written = texts(arguments.reports)
    reports = [Report(str(i), text, "benchmark", i) for i, text in enumerate(written)]
    words = sum(len(text.split()) for text in written) / len(written)
    whole = seconds(lambda: labeler.label_reports(reports))
    print(f"{len(reports)} reports, {words:.0f} words each; {len(label_set.names)} observations")
    print(f"labels:                 {len(reports) / whole:8.0f} reports/s")

    some = [s for text in written[: max(1, len(written) // 10)] for s in sentences(text)]
    known = list(phrases(rule_book.load(label_set)))
    trie = PhraseTrie()
    for phrase in known:
        trie.add(phrase, phrase)
    compiled = [(phrase, pattern(phrase)) for phrase in known]
    for sentence in some:
        found = {(m.payload, m.start) for m in trie.find(sentence.words)}
        if found != by_loop(compiled, sentence):
            raise SystemExit("the two searches disagree")
    fast = seconds(lambda: [trie.find(s.words) for s in some]) / len(some)
    slow = seconds(lambda: [by_loop(compiled, s) for s in some]) / len(some)
    print(f"phrase search, trie:    {1 / fast:8.0f} sentences/s ({len(known)} phrases)")
    print(f"phrase search, loop:    {1 / slow:8.0f} sentences/s")
    print(f"trie against loop:      {slow / fast:8.1f} x")


if __name__ == "__main__":
    main()
