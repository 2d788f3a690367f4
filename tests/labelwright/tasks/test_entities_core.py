"""The entities task: answer lines written and read, the label set, its prompt and rows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from finding_tools import NESTED, PLAIN, SURE, at, made, spans_of

from labelwright.errors import LabelSetError
from labelwright.label_set import LabelSet
from labelwright.prompt import messages, prompt_version, system_prompt
from labelwright.records import Certainty, Entity, Prediction
from labelwright.tasks.entities.answer import (
    MOST_LINES,
    NONE,
    in_order,
    listing,
    parse,
    render,
    written,
)

# Answers: written


def test_an_answer_has_a_line_per_mention_in_order_of_appearance() -> None:
    text = "Metformin for diabetes; no ataxia."
    found = [at(text, "Disease", "ataxia"), at(text, "Chemical substance", "Metformin")]
    found.append(at(text, "Disease", "diabetes"))
    assert render(PLAIN, found) == "Chemical: Metformin\nDisease: diabetes\nDisease: ataxia"
    assert render(PLAIN, []) == NONE


def test_the_longer_of_two_mentions_at_one_place_comes_first() -> None:
    text = "breast cancer"
    inner, outer = at(text, "Disease", "breast"), at(text, "Disease", "breast cancer")
    assert render(NESTED, [inner, outer]) == "Disease: breast cancer\nDisease: breast"
    assert in_order([inner, outer]) == [outer, inner]


def test_white_space_is_evened_out_and_parts_are_joined_by_a_gap() -> None:
    text = "breast  and\n  ovarian\tcancer"
    one = at(text, "Disease", "breast", "cancer")
    two = at(text, "Disease", "ovarian\tcancer")
    assert written(one) == "breast ... cancer"
    assert render(NESTED, [one, two]) == "Disease: breast ... cancer\nDisease: ovarian cancer"
    assert spans_of(NESTED, render(NESTED, [one, two]), text) == [one.spans, two.spans]


def test_certainties_stand_behind_the_type() -> None:
    text = "No ataxia. Diabetes."
    found = (
        at(text, "Disease", "ataxia", certainty=Certainty.NEGATIVE),
        at(text, "Disease", "Diabetes", certainty=Certainty.POSITIVE),
    )
    answer = render(SURE, found)
    assert answer == "Disease negated: ataxia\nDisease present: Diabetes"
    assert parse(SURE, answer, text).value == found


@pytest.mark.parametrize(
    ("label_set", "kind", "certainty", "why"),
    [
        (PLAIN, "Gene", None, "not in label set"),
        (PLAIN, "Disease", Certainty.POSITIVE, "has no certainties"),
        (SURE, "Disease", None, "needs a certainty"),
        (SURE, "Disease", Certainty.UNCERTAIN, "needs a certainty"),
    ],
)
def test_what_the_label_set_does_not_know_is_not_written(
    label_set: LabelSet, kind: str, certainty: Certainty | None, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        render(label_set, [at("ataxia", kind, "ataxia", certainty=certainty)])


# Answers: read


def test_none_is_an_answer_and_nothing_is_a_problem() -> None:
    for said in ("none", "None.", " NONE \n"):
        parsed = parse(PLAIN, said, "All is well.")
        assert (parsed.value, parsed.problems) == ((), ())
    empty = parse(PLAIN, "\n", "All is well.")
    assert (empty.problems, empty.value) == (("empty answer",), None)


def test_what_is_no_line_of_the_answer_is_counted_by_kind_without_its_text() -> None:
    text = "ataxia and diabetes"
    answer = "Sure! Here\nGene: ATM\nDisease:\nDisease: ataxia\nDisease: SECRET\nDisease: SECRET"
    parsed = parse(PLAIN, answer, text)
    assert parsed.problems == (
        "chatter",
        "unknown type",
        "empty mention: Disease",
        "not in the text: Disease (2)",
    )
    assert [e.text for e in parsed.value or ()] == ["ataxia", "SECRET", "SECRET"]
    assert [e.spans for e in parsed.value or ()] == [((0, 6),), (), ()]
    assert parsed.value is not None


@pytest.mark.parametrize("answer", ["Sure!", "Gene: ATM", "Disease:", "I see: none"])
def test_an_answer_without_any_readable_line_is_not_readable(answer: str) -> None:
    parsed = parse(PLAIN, answer, "ataxia")
    assert parsed.problems
    assert parsed.value is None


def test_a_mention_said_more_often_than_the_text_holds_it_is_not_in_the_text() -> None:
    parsed = parse(PLAIN, "Disease: ataxia\n" * 3, "ataxia, Ataxia")
    assert [e.spans for e in parsed.value or ()] == [((0, 6),), ((8, 14),), ()]
    assert parsed.problems == ("not in the text: Disease",)
    # Where nesting is allowed, another type may stand at the same place, the same may not.
    both = "Disease: ataxia\nChemical: ataxia\nDisease: ataxia"
    assert [e.spans for e in parse(NESTED, both, "ataxia").value] == [((0, 6),), ((0, 6),), ()]
    assert len([e for e in parse(PLAIN, both, "ataxia").value if e.spans]) == 1


def test_types_by_name_key_synonym_and_list_marks_are_understood_with_a_note() -> None:
    text = "one two three four"
    answer = "chemical substance: one\nDRUG: two\n- Chemical: three\n4. Disease: four"
    parsed = parse(PLAIN, answer, text)
    assert [(e.type, e.text) for e in parsed.value or ()] == [
        ("Chemical substance", "one"),
        ("Chemical substance", "two"),
        ("Chemical substance", "three"),
        ("Disease", "four"),
    ]
    assert parsed.notes == ("type written otherwise (4)",)
    assert not parsed.problems


@pytest.mark.parametrize(
    "line",
    ['Disease: "ataxia"', "Disease: ataxia.", "**Disease**: `ataxia`", "- *Disease:* ataxia"],
)
def test_what_models_write_around_a_mention_does_not_count(line: str) -> None:
    parsed = parse(PLAIN, line, "no ataxia")
    assert [(e.type, e.spans, e.text) for e in parsed.value or ()] == [
        ("Disease", ((3, 9),), "ataxia")
    ]
    assert not parsed.problems
    assert parsed.notes
    # Where the text has it so, it is a part of the mention.
    (quoted,) = parse(PLAIN, 'Disease: "ataxia"', 'no "ataxia"').value
    assert quoted.text == '"ataxia"'


@pytest.mark.parametrize(
    ("head", "certainty", "problems"),
    [
        ("Disease negated", Certainty.NEGATIVE, ()),
        ("disease NEGATIVE", Certainty.NEGATIVE, ()),
        ("Disease (present)", Certainty.POSITIVE, ()),
        ("Disease", None, ("no certainty: Disease",)),
    ],
)
def test_certainties_in_other_writings(
    head: str, certainty: Certainty | None, problems: tuple[str, ...]
) -> None:
    parsed = parse(SURE, f"{head}: ataxia", "ataxia")
    assert ((parsed.value or ())[0].certainty, parsed.problems) == (certainty, problems)


def test_the_last_line_of_an_answer_that_was_cut_off_does_not_count() -> None:
    text = "ataxia telangiectasia, ataxia"
    parsed = parse(PLAIN, "Disease: ataxia telangiectasia\nDisease: ata", text, ended=False)
    assert [e.text for e in parsed.value or ()] == ["ataxia telangiectasia"]
    assert parsed.problems == ("cut off",)
    nothing = parse(PLAIN, "Dise", text, ended=False)
    assert (nothing.value, nothing.problems) == (None, ("cut off",))


def test_mentions_out_of_order_are_found_with_a_note_and_given_in_order() -> None:
    text = "ataxia then diabetes then ataxia"
    parsed = parse(PLAIN, "Disease: diabetes\nDisease: ataxia\nDisease: ataxia", text)
    assert [e.start for e in parsed.value or ()] == [0, 12, 26]
    assert parsed.notes == ("order",)


def test_one_mention_named_too_early_moves_no_other() -> None:
    text = "fever, cough; fever and pain"
    read = parse(PLAIN, "Disease: pain\nDisease: fever\nDisease: cough", text)
    assert [e.start for e in read.value] == [0, 7, 24]
    assert read.notes == ("order",)
    assert read.problems == ()


def test_an_answer_of_too_many_lines_is_cut_and_says_so() -> None:
    answer = "\n".join(["Disease: a"] * (MOST_LINES + 5))
    parsed = parse(PLAIN, answer, "a " * (MOST_LINES + 5))
    assert len(parsed.value or ()) == MOST_LINES
    assert parsed.problems == ("cut off",)


# The label set and its prompt


def test_the_prompt_lists_types_and_shows_the_examples() -> None:
    text = "Metformin  for\ndiabetes."
    shown = [
        {"type": "Chemical substance", "text": "metformin"},
        {"type": "Disease", "text": "diabetes"},
    ]
    label_set = made(examples=[{"text": text, "entities": shown}, {"text": "Well."}])
    assert label_set.examples[0].entities == (
        at(text, "Chemical substance", "Metformin"),
        at(text, "Disease", "diabetes"),
    )
    assert listing(label_set) == ("Disease: a disease or syndrome; Chemical (Chemical substance)")
    assert system_prompt(label_set) == (
        "List the mentions of: Disease: a disease or syndrome; Chemical (Chemical substance)."
        "\n\nText: Metformin for diabetes.\nAnswer:\nChemical: Metformin\nDisease: diabetes"
        "\n\nText: Well.\nAnswer:\nnone"
    )
    assert prompt_version(label_set) == "entities-1"
    assert messages(label_set, "A note.")[1] == {"role": "user", "content": "A note."}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"nesting": "perhaps"}, "nesting must be true or false"),
        ({"certainties": ["positive", "blank"]}, "a mention cannot be 'blank'"),
        ({"exclusive": [{"label": "Disease", "with": ["Disease"]}]}, "exclusive"),
        (
            {"examples": [{"text": "a", "entities": [{"type": "Gene", "text": "a"}]}]},
            "unknown type",
        ),
        (
            {"examples": [{"text": "a", "entities": [{"type": "Disease", "text": "b"}]}]},
            "does not stand in the example's text",
        ),
        ({"examples": [{"text": " "}]}, "mapping with a text"),
    ],
)
def test_mistakes_in_a_label_set_are_named(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(LabelSetError) as error:
        made(**changes)
    assert why in " ".join(error.value.problems)


# Rows


def test_a_prediction_of_entities_comes_back_from_its_row() -> None:
    entities = (
        Entity("Disease", ((0, 6), (8, 9)), "ataxia x", Certainty.NEGATIVE, 0.25),
        Entity("Disease", (), "elsewhere"),
    )
    for given_here, complete in ((entities, True), ((), True), (None, False)):
        prediction = Prediction(id="1", model="m", task="entities", value=given_here)
        again = Prediction.from_json(
            json.loads(json.dumps(prediction.to_json())), LabelSet.load("disease-1")
        )
        assert again == prediction
        assert again.complete is complete
