"""Words, windows and tags: every character has its place, and entities survive their tags."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tagger_tools import LABEL_SET, label_set

from baselines.encoder.scratch import PRESETS, make_scratch_encoder
from baselines.encoder.start import load_parts
from baselines.tagger.choices import SCHEMES
from baselines.tagger.tags import Tagging, key_of
from baselines.tagger.words import WordReader, find_words
from labelwright.annotations import tags as core_tags
from labelwright.errors import ConfigError
from labelwright.label_set import LabelSet
from labelwright.records import Certainty, Entity

TEXTS = (
    "b c a aa",
    "The left kidney, 3.5 cm.",
    "No cyst of the liver.",
    "T2-weighted images: naïve é",
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("start") / "bert"
    make_scratch_encoder(TEXTS, folder, shape=PRESETS["tiny"], seed=0)
    return load_parts(folder, name="start", dtype=None)[1]  # type: ignore[arg-type]


def words_of(text: str) -> list[str]:
    return [text[start:end] for start, end in find_words(text).tolist()]


def test_words() -> None:
    assert words_of("T2-weighted, 3.5cm\n\u00e9t\u00e9") == [
        *("T2", "-", "weighted", ",", "3", ".", "5cm", "\u00e9t\u00e9")
    ]
    decomposed = unicodedata.normalize("NFD", "\u00e9t\u00e9 a_b")
    assert words_of(decomposed) == [decomposed[:5], "a", "_", "b"]
    assert words_of(" \n\t ") == []


@given(st.text(max_size=80))
def test_every_visible_character_is_in_one_word(text: str) -> None:
    spans = find_words(text)
    assert "".join(text[a:b] for a, b in spans.tolist()) == "".join(text.split())
    assert (spans[1:, 0] >= spans[:-1, 1]).all()


@given(text=st.text(alphabet="ab \u0301.,3é\u200b-()\n", max_size=120), limit=st.integers(3, 9))
@settings(max_examples=150, deadline=None)
def test_windows_hold_every_word_and_agree_on_who_decides(
    tokenizer: Any, text: str, limit: int
) -> None:
    [words] = WordReader(tokenizer, limit=limit, stride=2).read([text])
    decided = [n for window in words.windows for n in range(*window.keep)]
    assert decided == list(range(len(words)))
    for window in words.windows:
        last = window.start + len(window.firsts)
        assert 2 < len(window.ids) <= limit
        assert (window.ids[0], window.ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
        assert window.start <= window.keep[0] < window.keep[1] <= last
        assert (np.diff(window.firsts) > 0).all()
        for place, first in enumerate(window.firsts):
            start, end = words.spans[window.start + place]
            token = tokenizer.convert_ids_to_tokens(int(window.ids[first])).removeprefix("##")
            letters = unicodedata.normalize("NFD", text[start:end])
            plain = "".join(c for c in letters if not unicodedata.combining(c)).replace(
                "\u200b", ""
            )
            assert token == "[UNK]" or plain.startswith(token)


def test_the_window_in_which_a_word_is_most_central_decides(tokenizer: Any) -> None:
    """Six words a window, four shared: words 0-3 | 4, 5 | 6-9 by their distance to the borders."""
    text = " ".join("abcdefghij")
    [words] = WordReader(tokenizer, limit=8, stride=4).read([text])
    assert [(w.start, len(w.firsts)) for w in words.windows] == [(0, 6), (3, 6), (6, 4)]
    assert [window.keep for window in words.windows] == [(0, 5), (5, 8), (8, 10)]


def test_one_word_longer_than_a_window(tokenizer: Any) -> None:
    text = "b " + "a" * 50 + " c"
    [words] = WordReader(tokenizer, limit=8, stride=4).read([text])
    assert [window.keep for window in words.windows] == [(0, 1), (1, 2), (2, 3)]
    assert max(len(window.ids) for window in words.windows) == 8
    with pytest.raises(ConfigError, match="no word fits into 2 tokens"):
        WordReader(tokenizer, limit=2, stride=0)


MIXED = "The  cyst\n\n of na\u00efve, (\U0001d518) \u00e93.5cm\u2014T2\u2026"


def other_tokenizer(kind: str) -> Any:
    """Tokenizers of other kinds of encoders: RoBERTa's and ModernBERT's bytes, XLM-R's pieces."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    if kind == "pieces":
        letters = sorted({*unicodedata.normalize("NFKC", MIXED)} - {" ", "\n"})
        pieces = [("<unk>", 0.0), ("\u2581", -1.0), ("\u2581na", -1.0)]
        made = Tokenizer(models.Unigram([*pieces, *((c, -2.0) for c in letters)], unk_id=0))
        made.normalizer = normalizers.NFKC()
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        return PreTrainedTokenizerFast(tokenizer_object=made)
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=kind == "bytes, prefix")
    made.post_processor = processors.ByteLevel(trim_offsets=kind != "bytes, untrimmed")
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made)


@pytest.mark.parametrize("kind", ["bytes", "bytes, prefix", "bytes, untrimmed", "pieces"])
def test_other_kinds_of_tokenizers_give_the_same_words(kind: str) -> None:
    made = other_tokenizer(kind)
    [words] = WordReader(made, limit=64, stride=4).read([MIXED])
    assert words.spans.tolist() == find_words(MIXED).tolist()
    [window] = words.windows
    heads = [made.decode([int(window.ids[n])]).strip() for n in window.firsts]
    assert [heads[place] for place in (4, 5, 7, 9)] == [",", "(", ")", "."]
    assert (np.diff(window.firsts) > 0).all()


def test_texts_without_words(tokenizer: Any) -> None:
    for words in WordReader(tokenizer, limit=8, stride=2).read(["", " \n", "\u0301"]):
        assert len(words) == 0
        assert words.windows == ()


def test_names_of_tags() -> None:
    ours = label_set()
    assert Tagging(ours, "BIO", False).names == ("O", "B-Lesion", "I-Lesion", "B-Site", "I-Site")
    assert Tagging(ours, "IO", True).names == ("I-Lesion", "I-Site")
    asked = LabelSet.from_text(f"{LABEL_SET}certainties: [positive, negative]\n")
    assert Tagging(asked, "IO", True).names == (
        *("I-Lesion|positive", "I-Lesion|negative", "I-Site|positive", "I-Site|negative"),
    )


TEXT = "aa bb cc dd ee"
SPANS = find_words(TEXT)


def entity(kind: str, first: int, last: int) -> Entity:
    return Entity.of(TEXT, kind, (int(SPANS[first, 0]), int(SPANS[last, 1])))


ENCODED = [
    ("BIO", [entity("Site", 1, 2), entity("Site", 3, 3)], [0, 3, 4, 3, 0], 2),
    ("IO", [entity("Site", 1, 2), entity("Site", 3, 3)], [0, 2, 2, 2, 0], 0),
    ("BIOES", [entity("Lesion", 0, 2), entity("Site", 4, 4)], [1, 2, 3, 0, 8], 2),
    ("BIO", [entity("Site", 1, 1), entity("Lesion", 0, 2)], [1, 2, 2, 0, 0], 1),
    ("BIO", [Entity.of(TEXT, "Site", (4, 7))], [0, 3, 4, 0, 0], 0),
    ("BIO", [Entity.of(TEXT, "Site", (0, 2), (9, 11))], [3, 0, 0, 3, 0], 0),
]
"""Scheme, entities, tags counted by hand, entities that come back as they were."""


@pytest.mark.parametrize(("scheme", "entities", "tags", "same"), ENCODED)
def test_tags_of_entities(scheme: str, entities: list[Entity], tags: list[int], same: int) -> None:
    tagging = Tagging(label_set(), scheme, False)
    assert tagging.encode(SPANS, entities).tolist() == tags
    assert tagging.learnable(TEXT, SPANS, entities) == same


def test_several_tags_a_word_hold_nested_entities_of_different_types() -> None:
    nested = [entity("Lesion", 0, 3), entity("Site", 2, 3), entity("Site", 4, 4)]
    tagging = Tagging(label_set(), "BIO", True)
    assert tagging.encode(SPANS, nested).tolist() == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 1, 1, 0],
        [0, 1, 0, 1],
        [0, 0, 1, 0],
    ]
    assert tagging.learnable(TEXT, SPANS, nested) == 3
    inside = [entity("Site", 0, 3), entity("Site", 2, 2)]
    assert tagging.learnable(TEXT, SPANS, inside) == 1


@given(data=st.data(), scheme=st.sampled_from(sorted(SCHEMES)))
@settings(deadline=None)
def test_any_tags_are_read_as_conlleval_reads_them(data: st.DataObject, scheme: str) -> None:
    """The same mentions as :mod:`labelwright.annotations.tags`, which reads files."""
    tagging = Tagging(label_set(), scheme, False)
    tags = data.draw(st.lists(st.integers(0, len(tagging.names) - 1), min_size=5, max_size=5))
    kinds = tagging.kinds_of(np.array(tags))
    found = tagging.decode(kinds, np.ones(kinds.shape))
    mine = {(tagging.classes[m.place][0], m.start, m.end) for m in found}
    named = [core_tags.tag_of(tagging.names[tag]) for tag in tags]
    assert None not in named
    theirs = core_tags.decode([tag for tag in named if tag], scheme.lower())
    assert mine == {(chunk.type, chunk.start, chunk.end) for chunk in theirs}


@given(data=st.data(), scheme=st.sampled_from(["BIO", "BIOES"]), several=st.booleans())
@settings(deadline=None)
def test_entities_of_whole_words_come_back(data: st.DataObject, scheme: str, several: bool) -> None:
    """Of each type entities that do not overlap; with one tag a word, of both types together."""
    tagging = Tagging(label_set(), scheme, several)
    found: list[Entity] = []
    taken: set[tuple[int, str]] = set()
    for kind in data.draw(st.permutations(["Lesion", "Site", "Lesion", "Site"])):
        first = data.draw(st.integers(0, 4))
        last = data.draw(st.integers(first, 4))
        cells = {(n, kind if several else "") for n in range(first, last + 1)}
        if not cells & taken:
            found.append(entity(kind, first, last))
            taken |= cells
    kinds = tagging.kinds_of(tagging.encode(SPANS, found))
    again = tagging.entities(TEXT, SPANS, tagging.decode(kinds, np.ones(kinds.shape)))
    assert sorted(map(key_of, again)) == sorted(map(key_of, found))
    assert all(e.text == TEXT[e.start : e.end] and e.prob == 1 for e in again)


def test_certainties_are_classes_of_their_own() -> None:
    asked = LabelSet.from_text(f"{LABEL_SET}certainties: [positive, negative]\n")
    tagging = Tagging(asked, "BIO", False)
    given = [Entity.of(TEXT, "Site", (3, 8), certainty=Certainty.NEGATIVE)]
    assert tagging.encode(SPANS, given).tolist() == [0, 7, 8, 0, 0]
    kinds = tagging.kinds_of(tagging.encode(SPANS, given))
    [again] = tagging.entities(TEXT, SPANS, tagging.decode(kinds, np.full(kinds.shape, 0.5)))
    assert (again.type, again.certainty, again.spans, again.prob) == (
        *("Site", Certainty.NEGATIVE, ((3, 8),), 0.5),
    )


def test_the_probability_is_the_mean_over_the_words() -> None:
    tagging = Tagging(label_set(), "IO", True)
    kinds = np.array([[-1, 0], [-1, 0], [0, 0], [-1, -1], [-1, 0]])
    sure = np.array([[0.0, 0.5], [0.0, 0.7], [0.8, 0.9], [0.0, 0.1], [0.0, 1.0]])
    found = [(m.place, m.start, m.end, round(m.prob, 6)) for m in tagging.decode(kinds, sure)]
    assert found == [(1, 0, 3, 0.7), (0, 2, 3, 0.8), (1, 4, 5, 1.0)]
