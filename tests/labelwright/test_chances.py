"""Probabilities in millionths are those of dictionaries, and what is reckoned with many is too."""

from __future__ import annotations

import json
import pickle
import random
from threading import Thread

from labelwright.chances import Chances, layout_of, rows, same_layout, table
from labelwright.label_set import LabelSet
from labelwright.labelers.calibrated import _all_tempered, tempered
from labelwright.labelers.recent import Recent, digest
from labelwright.records import Answer, Certainty
from labelwright.tasks.base import Part
from labelwright.tasks.certainty.together import of_sentences

CHEXPERT = LabelSet.load("chexpert-14")


def some(chance: random.Random) -> dict[str, dict[str, float]]:
    """Probabilities of every certainty that each observation may take, many of them near 0 or 1."""
    found = {}
    for label in CHEXPERT.labels:
        weights = [chance.random() ** chance.choice([1, 9, 60]) for _ in label.certainties]
        numbers = [round(w / sum(weights), 6) for w in weights]
        found[label.name] = {c.value: p for c, p in zip(label.certainties, numbers, strict=True)}
    return found


def test_they_are_mappings_equal_to_dictionaries() -> None:
    plain = some(random.Random(3))
    packed = Chances.of(plain)
    assert packed == plain == packed.to_dict()
    assert json.dumps(packed.to_dict()) == json.dumps(plain)  # in the same order
    assert packed != some(random.Random(4))
    again = pickle.loads(pickle.dumps([packed, packed]))
    assert again == [plain, plain]
    assert same_layout([packed, *again]) is packed.layout
    assert same_layout([packed, plain]) is same_layout([]) is same_layout([None]) is None
    assert packed.get("no such") is None


def test_rounding_is_that_of_python() -> None:
    """Ties of six decimals, and their neighbours, are no ties in binary."""
    chance = random.Random(5)
    ties = [(k + 0.5) / 1_000_000 for k in range(0, 1_000_000, 997)]
    numbers = [*ties, *(0.5 * round(chance.random(), 6) for _ in ties)]
    layout = layout_of((("a", tuple(map(str, range(len(numbers))))),))
    import numpy as np

    [found] = rows(layout, np.array([numbers]))
    assert list(found["a"].values()) == [round(p, 6) for p in numbers]


def test_many_are_tempered_and_put_together_as_one_is() -> None:
    chance = random.Random(7)
    temperatures = {name: 0.4 + chance.random() for name in CHEXPERT.names}
    plain = [some(chance) for _ in range(60)]
    packed = [Chances.of(one) for one in plain]
    assert table(packed).shape == (60, sum(len(x.certainties) for x in CHEXPERT.labels))
    many = _all_tempered(packed[0].layout, packed, temperatures)
    assert many == [{n: tempered(row, temperatures[n]) for n, row in p.items()} for p in plain]
    value = dict.fromkeys(CHEXPERT.names, Certainty.BLANK)
    for size in (1, 2, 5, 20):
        whole = []
        for given in (plain, packed):
            answers = [Answer(value=value, probs=one) for one in given[:size]]
            parts = [Part(((n, n + 1),), answer) for n, answer in enumerate(answers)]
            whole.append(of_sentences(CHEXPERT, parts))
        assert whole[0] == whole[1]
        assert isinstance(whole[1].probs, Chances)


def test_the_oldest_goes_and_threads_lose_no_more_than_a_value() -> None:
    kept: Recent[int] = Recent(10)
    for number in range(1000):
        kept.put(str(number).encode(), number)
        assert kept.get(b"0") == 0  # asked for all along
        assert len(kept) <= 10
    assert [kept.get(str(n).encode()) for n in range(991, 1000)] == [*range(991, 1000)]
    assert kept.get(b"990") is None
    assert Recent[int](0).get(b"") is None
    assert digest("a", "b") != digest("", "ab") != digest("ab", "")

    def work(start: int) -> None:
        for number in range(start, start + 3000):
            key = str(number % 17).encode()
            if kept.get(key) is None:
                kept.put(key, number % 17)

    threads = [Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) <= 14
    assert all(kept.get(str(n).encode()) in (None, n) for n in range(17))
