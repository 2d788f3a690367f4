"""The rule-based labeler: phrases find mentions, scope rules judge them, one certainty results.

Written from the published method of the CheXpert labeler (Irvin et al. 2019,
doi:10.1609/aaai.v33i01.3301590): extraction, classification, aggregation. The phrases are in
``baselines/rules/*.yaml``, so that any label set can have rules. Each observation needs its
own mention: nothing is inferred from one observation to its parent.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines.rules import rule_book
from baselines.rules.boxes import without_unticked
from baselines.rules.mentions import Finder, Mention, Reading
from baselines.rules.phrases import Sentence, sentences
from baselines.rules.repeated import Repeated
from baselines.rules.rule_book import RuleBook
from baselines.rules.thread import Thread
from labelwright.label_set import LabelSet
from labelwright.labelers.gate import EXAMINATION, LANGUAGE, UNSAID
from labelwright.records import Certainty, Prediction, Reject, Report, Section
from labelwright.text.section_headings import CONTEXT
from labelwright.text.sections import split_sections
from labelwright.text.sentences import sentence_spans

OTHER_LANGUAGE = f"{LANGUAGE}: not that of the rules"
OTHER_PART = f"{EXAMINATION}: another part of the body"
NOTHING_SAID = f"{UNSAID}: no observation"

_REQUEST = 3
"""How many sentences a request in one line has at most."""


_FINDERS: deque[tuple[RuleBook, Repeated]] = deque(maxlen=4)
"""The finders made last: a rule book of a thousand phrases takes a quarter of a second."""


def _finder(book: RuleBook) -> Repeated:
    for known, finder in _FINDERS:
        if known == book:
            return finder
    _FINDERS.append((book, Repeated(Finder(book))))
    return _FINDERS[-1][1]


class RulesLabeler:
    """Labels reports by phrase lists and scope rules; a ``ReportLabeler``.

    The evidence of a label is every mention that has the winning certainty, as offsets into
    the report's text. Sections such as the indication do not count (``skip_sections``).
    """

    def __init__(self, label_set: LabelSet, book: RuleBook) -> None:
        self._label_set = label_set
        self._book = book
        self._finder = _finder(book)
        self._allowed = {label.name: label.certainties for label in label_set.labels}
        rest = book.rest
        topic = book.topic
        self._anywhere = frozenset() if topic is None else topic.anywhere
        self._aside = frozenset() if rest is None else frozenset({rest.label, *rest.ignore})

    @classmethod
    def for_label_set(
        cls, label_set: LabelSet, rules_file: Path | None = None, convention: str | None = None
    ) -> RulesLabeler:
        """Build it from the shipped rules of ``label_set``, or from ``rules_file``.

        Args:
            convention: name of another convention than the labeling guide's.

        Raises:
            ConfigError: there is no such convention for these labels.
            LabelSetError: there are no rules for it, or they have mistakes.
        """
        return cls(label_set, rule_book.load(label_set, rules_file, convention))

    def __reduce__(self) -> tuple[type[RulesLabeler], tuple[LabelSet, RuleBook]]:
        return type(self), (self._label_set, self._book)

    @property
    def name(self) -> str:
        """What stands in ``Prediction.model``."""
        return "rules"

    @property
    def label_set(self) -> LabelSet:
        """The observations it labels."""
        return self._label_set

    def describe(self) -> Mapping[str, Any]:
        """Hashes of the label set and of the rule files: the answers depend on these alone."""
        return {
            "model": self.name,
            "label_set": self._label_set.name,
            "label_set_sha256": self._label_set.fingerprint,
            "rules_sha256": dict(self._book.sha256),
        }

    def label_reports(self, reports: Sequence[Report]) -> list[Prediction | Reject]:
        """One result per report, in order; a report with nothing but skipped sections is rejected.

        Without that, such a report would come out as "No Finding".
        """
        return [self._label(report) for report in reports]

    def _label(self, report: Report) -> Prediction | Reject:
        started = time.perf_counter()
        said = _Said()
        text = without_unticked(report.text)
        said.empty = text == report.text
        for start, end in self._body(report):
            thread = Thread(self._finder.is_about)
            for sentence, read in self._without_request(list(sentences(text, start, end))):
                said.sentences.append(sentence)
                said.empty = said.empty and not any(word[0].isalnum() for word in sentence.words)
                reading, answered = thread.next(sentence, read)
                said.take_back(answered)
                said.add(sentence, reading, self._anywhere)
        if said.empty:
            return Reject(report.id, report.source, report.row, "no text outside skipped sections")
        problem = self._not_ours(said)
        labels, evidence = self._aggregate(said)
        return Prediction(
            id=report.id,
            model=self.name,
            task=self._label_set.task,
            value=labels,
            problems=(problem,) if problem else (),
            evidence=evidence,
            seconds=time.perf_counter() - started,
        )

    def _not_ours(self, said: _Said) -> str:
        """Why the text says nothing of the label set, or ``""``; what it seemed to say is dropped.

        A text in another language is not read: "kein Pneumothorax" would be a pneumothorax.
        """
        strange = ""
        if foreign := self._book.foreign.strange([s.words for s in said.sentences]):
            if said.drop([said.sentences[number] for number in foreign]):
                said.normal.clear()
                strange = OTHER_LANGUAGE
            if not said.found and not said.normal:
                return OTHER_LANGUAGE
        if said.elsewhere and not any(map(self._finder.is_about, said.sentences)):
            said.found.clear()
            said.normal.clear()
            return OTHER_PART
        return strange if said.found or said.normal else NOTHING_SAID

    def _body(self, report: Report) -> Iterator[tuple[int, int]]:
        """Where the sections stand that count.

        Where no section but an impression would, the lines below the first one of a skipped
        section count: "Clinical details: cough\n<findings without a heading>\nConclusion: …"; where
        it is one long line, the sentences after its first.
        """
        sections: Sequence[Section] = report.sections or split_sections(report.text)
        if not sections:
            yield 0, len(report.text)
        skipped = self._book.skip_sections
        asked = any(s.name in skipped and s.name in CONTEXT for s in sections)
        bare = asked and all(
            section.name in skipped
            or section.name == "impression"
            or self._says_nothing(report.text, section)
            for section in sections
        )
        for section in sections:
            if section.name not in skipped:
                yield section.start, section.end
            elif bare and section.name in CONTEXT:
                line = report.text.find("\n", section.start, section.end)
                if line >= 0:
                    yield line, section.end
                    continue
                said = sentence_spans(report.text[section.start : section.end])
                if len(said) > _REQUEST:
                    yield section.start + said[1][0], section.end

    def _without_request(self, row: Sequence[Sentence]) -> Iterator[tuple[Sentence, Reading]]:
        """Without questions before the first statement: "Cough, 3 days. ?Infection. Clear lungs."

        A question mark opens the text, or follows a complaint; more must come behind it.
        """
        opening = True
        asked = bool(row) and row[0].words[0] == "?"
        for number, sentence in enumerate(row):
            read = self._finder.read(sentence)
            if opening and number + 1 < len(row):
                words = sentence.words
                asked = asked or not self._book.complaints.isdisjoint(words)
                if asked and "?" in words:
                    at = words.index("?")
                    start, _end = sentence.span(at, at + 1)
                    if at + 1 < len(words) and all(
                        start < said.start or said.label in self._aside for said in read.named
                    ):
                        yield sentence, _before(read, start)
                        continue
                opening = not (read.mentions or read.normal)
            yield sentence, read

    def _says_nothing(self, text: str, section: Section) -> bool:
        """Whether a part names no finding and calls nothing normal: a title, the views."""
        read = map(self._finder.read, sentences(text, section.start, section.end))
        return not any(reading.mentions or reading.named or reading.normal for reading in read)

    def _aggregate(
        self, said: _Said
    ) -> tuple[dict[str, Certainty | None], dict[str, list[list[int]]]]:
        """Positive beats uncertain beats negative; then the label that is left when nothing is.

        A certainty that the label set does not allow for an observation becomes blank.
        """
        labels: dict[str, Certainty | None] = dict.fromkeys(self._allowed, Certainty.BLANK)
        evidence: dict[str, list[list[int]]] = {}
        nothing = True
        denied: list[Sentence] = []
        for name, mentions in said.found.items():
            best = _strongest([mention.certainty for mention, _ in mentions])
            if best is Certainty.NEGATIVE:
                if name not in self._aside:
                    denied += [sentence for _, sentence in mentions]
            elif name not in self._aside:
                nothing = False
            if best in self._allowed.get(name, ()):
                labels[name] = best
                spans = {(m.start, m.end) for m, _ in mentions if m.certainty is best}
                evidence[name] = [list(span) for span in sorted(spans)]
        if self._book.rest is not None:
            rest = self._book.rest.label
            labels[rest] = Certainty.BLANK
            evidence.pop(rest, None)
            grounds = said.normal or denied
            if nothing and grounds:
                labels[rest] = Certainty.POSITIVE
                spans = {sentence.span(0, len(sentence.words)) for sentence in grounds}
                evidence[rest] = [list(span) for span in sorted(spans)]
        return labels, evidence


def _before(reading: Reading, end: int) -> Reading:
    """What a sentence says before a place, if it names a finding there."""
    said = tuple(mention for mention in reading.mentions if mention.start < end)
    return Reading(said, False, reading.elsewhere)


class _Said:
    """What the sentences of one report say."""

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self.found: dict[str, list[tuple[Mention, Sentence]]] = {}
        self.normal: list[Sentence] = []
        self.elsewhere = False
        self.empty = True

    def add(self, sentence: Sentence, reading: Reading, anywhere: frozenset[str]) -> None:
        """Note what a sentence says; of one about another part only what counts anywhere."""
        self.elsewhere = self.elsewhere or reading.elsewhere
        for mention in reading.mentions:
            if not reading.elsewhere or mention.label in anywhere:
                self.found.setdefault(mention.label, []).append((mention, sentence))
        if reading.normal and not reading.elsewhere:
            self.normal.append(sentence)

    def take_back(self, mentions: Sequence[Mention]) -> None:
        """Forget these mentions: a later sentence answers them."""
        for mention in mentions:
            if said := self.found.get(mention.label):
                kept = [(m, sentence) for m, sentence in said if m[2:] != mention[2:]]
                if kept:
                    self.found[mention.label] = kept
                else:
                    del self.found[mention.label]

    def drop(self, sentences: Sequence[Sentence]) -> bool:
        """Forget what these sentences seemed to say; whether they named a finding."""
        gone = set(map(id, sentences))
        self.normal = [sentence for sentence in self.normal if id(sentence) not in gone]
        kept = {
            name: [(m, sentence) for m, sentence in said if id(sentence) not in gone]
            for name, said in self.found.items()
        }
        lost = any(len(kept[name]) < len(said) for name, said in self.found.items())
        self.found = {name: said for name, said in kept.items() if said}
        return lost


def _strongest(said: Sequence[Certainty]) -> Certainty:
    for certainty in (Certainty.POSITIVE, Certainty.UNCERTAIN):
        if certainty in said:
            return certainty
    return Certainty.NEGATIVE
