"""A small label set and lexicon that tests of the grammar share."""

from data_builders.synthetic.lexicon import Lexicon
from labelwright.io.yaml_lines import YamlFile
from labelwright.label_set import LabelSet

SMALL_SET = """
name: tiny
version: "1"
task: certainty
instruction: "Label: {labels}."
labels:
  - name: Cyst
  - name: Stone
  - name: Healthy
    certainties: [positive, blank]
exclusive:
  - label: Healthy
    with: [Cyst, Stone]
"""
SMALL = """
label_set: tiny
words:
  side: [left, right]
frames:
  positive: ["there {is} {ax}"]
  steady: ["unchanged {x}"]
  evolving: ["larger {x}"]
  pair: ["{x} and {y}"]
  uncertain: ["possible {t}"]
  negative: ["no {t}"]
  negative_list: ["no {or_list}"]
  resolved: ["{t} has gone"]
  double: ["no {t}; {u} cannot be excluded"]
observations:
  Cyst:
    rates: {positive: 0.3, uncertain: 0.1, negative: 0.3}
    terms: [cyst]
    found: ["{side} renal cyst"]
    countable: true
    evolves: true
  Stone:
    rates: {positive: 0.2, negative: 0.5}
    terms: [stone]
    found: ["{side} stone"]
summaries:
  normal: [normal kidneys]
  no_acute: [nothing acute]
  otherwise: [otherwise normal]
profiles:
  all: {weight: 1}
"""


def small(old: str = "", new: str = "") -> Lexicon:
    assert old in SMALL
    text = SMALL.replace(old, new, 1)
    return Lexicon.parse(YamlFile(text, "kidney.yaml"), LabelSet.from_text(SMALL_SET))
