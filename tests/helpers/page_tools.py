"""What the tests of the page share: made-up comparisons, their page, a check of its HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np

from eval.kinds.certainty.page import VIEW, contents, notices
from eval.kinds.certainty.read import Comparison
from eval.kinds.certainty.scores import Analysis
from eval.page.frame import Page
from eval.read.aligned import Coverage
from eval.read.provenance import Source
from eval.stats.significance import CompareSettings, analysed
from labelwright.label_set import LabelSet

VOID = {"meta", "br", "input", "wbr"}
FAST = CompareSettings(resamples=200, permutations=400, margin=0.02, seed=5)


def coverage(**known: object) -> Coverage:
    plain = {
        "source": "p.jsonl",
        "rows": 0,
        "missing": (),
        "extra": 0,
        "undetermined": (),
        "undetermined_cells": 0,
        "problems": {},
        "read_as_blank": 0,
    }
    return Coverage(**(plain | known))  # type: ignore[arg-type]


def compared(
    rates: dict[str, float], *, reports: int = 60, seed: int = 1, ids: tuple[str, ...] = ()
) -> Comparison:
    """Random gold of the head-CT set; each labeler is wrong in a share of the cells."""
    label_set = LabelSet.load("head-ct-5")
    draw = np.random.default_rng(seed)
    gold = draw.integers(0, 4, size=(reports, 5)).astype(np.int8)
    pred = {}
    for name, rate in rates.items():
        wrong = draw.random(gold.shape) < rate
        pred[name] = np.where(wrong, (gold + 1) % 4, gold).astype(np.int8)
    return Comparison(
        label_set=label_set,
        observations=label_set.names,
        ids=ids or tuple(f"r{i}" for i in range(reports)),
        clusters=None,
        gold=gold,
        pred=pred,
        coverage={name: coverage(rows=reports) for name in rates},
        gold_source="gold.csv",
    )


def page(comparison: Comparison, **options: object) -> Page:
    metric = str(options.pop("metric", "chexbert_all"))
    analysis = analysed(VIEW, comparison, FAST, metric=metric)
    sources = [Source(n, f"{n}.jsonl", "ab" * 32, None) for n in analysis.comparison.names]
    made = {"title": "Comparison", "contents": contents(analysis, None)} | options
    return Page(analysis=analysis, sources=sources, **made)  # type: ignore[arg-type]


class Tags(HTMLParser):
    """Notes unbalanced tags, duplicated ids, and everything that points out of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.wrong: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.ids += [known["id"] or ""] if "id" in known else []
        self.scripts += tag == "script"
        self.links += [
            v or "" for k, v in attrs if k in {"src", "href", "action", "data", "poster"}
        ]
        self.wrong += [f"{tag} {k}" for k, _ in attrs if k.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")


def checked(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    assert not tags.wrong
    assert not tags.open
    assert len(tags.ids) == len(set(tags.ids))
    assert all(link.startswith("#") for link in tags.links)
    assert {link[1:] for link in tags.links} <= set(tags.ids)
    assert not re.search(r"https?://|@import|url\(", html.partition('id="methods"')[0])
    return tags


def said(analysis: Analysis) -> str:
    found = notices(analysis)
    return " ".join([*found.grave, *found.other])
