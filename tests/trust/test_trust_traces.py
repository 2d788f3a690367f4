"""The whole chain with the network cut and a canary in the reports: what is tried, what is left.

Build, two trainings, labeling with three labelers, comparison; then the same commands broken
off in their midst by an error that quotes a report, and by a kill.
"""

from __future__ import annotations

import csv
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from processes.trust_tools import Ended, Place, words

from labelwright.label_set import LabelSet

pytestmark = pytest.mark.slow
CANARY = "Quixzevorn"
PHRASES = {
    "Small left pleural effusion.": ("Pleural Effusion", "1.0"),
    "No pneumothorax.": ("Pneumothorax", "0.0"),
    "Possible pneumonia.": ("Pneumonia", "-1.0"),
    "The heart is enlarged.": ("Cardiomegaly", "1.0"),
    "Mild pulmonary edema.": ("Edema", "1.0"),
}
READ = "--id-column id --text-columns text"
CHAIN = {
    "build": f"build reports.csv {READ} --label-set chexpert-14 --labels labels.csv "
    "--split 0.5,0.25,0.25 --out records",
    "train": "train --config scratch-cpu --data records --output_dir model --max_steps 2",
    "train-encoder": "train-encoder --config scratch-cpu --data records --output_dir encoder "
    "--max_steps 2 --report_to none",
    "label-model": f"label reports.csv {READ} --model model --out by-model",
    "label-encoder": f"label reports.csv {READ} --model encoder --out by-encoder",
    "label-rules": f"label reports.csv {READ} --model rules --out by-rules",
    "eval": "eval --gold labels.csv --pred rules=by-rules --pred encoder=by-encoder "
    "--patients reports.csv --data records --resamples 100 --permutations 100 --out page",
}
WITH_TEXT = {
    "cwd/reports.csv",
    *(f"cwd/records/{split}{kind}" for split in ("train", "validation", "test")
      for kind in (".jsonl", ".reports.jsonl")),
}  # fmt: skip
"""The inputs, and the files of a data folder that docs/building.md says hold text."""
VOCABULARIES = {
    *(f"cwd/model/{part}tokenizer.json" for part in ("", "start/", "checkpoint-2/")),
    *(f"cwd/encoder/{part}tokenizer.json" for part in ("", "start/", "checkpoint-2/")),
    "cwd/model-raise/start/tokenizer.json",
    "cwd/encoder-raise/start/tokenizer.json",
}
"""A model from scratch learns its words from its reports, as docs/trust.md says."""


def write_inputs(folder: Path) -> None:
    """Forty reports with a canary each, one without text, one with NUL; and their labels."""
    names = LabelSet.load("chexpert-14").names
    with (
        open(folder / "reports.csv", "w", newline="") as reports,
        open(folder / "labels.csv", "w", newline="") as labels,
    ):
        texts, codes = csv.writer(reports), csv.writer(labels)
        texts.writerow(["id", "patient", "text"])
        codes.writerow(["id", *names])
        phrases = list(PHRASES)
        for row in range(40):
            said = [phrases[row % 5], phrases[(row // 5 + row + 1) % 5]]
            found = dict(PHRASES[phrase] for phrase in said)
            texts.writerow([f"r{row}", f"p{row}", " ".join([*said, f"Seen by {CANARY} {row}."])])
            codes.writerow([f"r{row}", *(found.get(name, "") for name in names)])
        texts.writerow(["empty", "p40", "  "])
        texts.writerow(["nul", "p41", f"Bad \0 {CANARY}"])
        codes.writerow(["empty", *[""] * len(names)])
        codes.writerow(["nul", *[""] * len(names)])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    sealed = Place(tmp_path_factory.mktemp("trust"))
    write_inputs(sealed.cwd)
    yield sealed
    sealed.close()


@pytest.fixture(scope="module")
def chain(place: Place) -> Mapping[str, Ended]:
    """Every command of the chain, in turn."""
    ended = {"imports": place.imports()}
    for name, line in CHAIN.items():
        ended[name] = place.run(*words(line))
        assert ended[name].code == 0, f"{name}: {ended[name].err}"
    return ended


def test_the_place_is_sealed(place: Place) -> None:
    """A program that does try is stopped and written down, and so is a file elsewhere."""
    tries = """
import socket
for use in (lambda: socket.create_connection(("192.0.2.1", 80), 1),
            lambda: socket.create_connection(("127.0.0.1", 9), 1),
            lambda: socket.getaddrinfo("example.org", 443),
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 9))):
    try:
        use()
    except OSError as error:
        print(error)
open("/dev/full", "w").close()
"""
    ended = place.python("-c", tries)
    assert ended.out == "the network is cut\n" * 4
    assert len(ended.net) >= 4
    assert place.strays(ended) == [Path("/dev/full")]


@pytest.mark.parametrize("name", ["imports", *CHAIN])
def test_no_command_tries_the_network(chain: Mapping[str, Ended], name: str) -> None:
    """Not even in vain: no address is looked up, no socket but those of files is connected."""
    assert chain[name].net == ()


@pytest.mark.parametrize("name", CHAIN)
def test_no_command_writes_elsewhere(chain: Mapping[str, Ended], place: Place, name: str) -> None:
    assert place.strays(chain["imports"]) == place.strays(chain[name]) == []
    assert any(path.is_relative_to(place.cwd) for path in chain[name].written)


@pytest.mark.parametrize("name", CHAIN)
def test_no_command_says_report_text(chain: Mapping[str, Ended], name: str) -> None:
    assert CANARY not in chain[name].out + chain[name].err


def test_report_text_stands_where_the_manual_says(chain: Mapping[str, Ended], place: Place) -> None:
    assert chain
    assert place.holding(CANARY) - VOCABULARIES == WITH_TEXT
    assert place.holding(f"by {CANARY}") == WITH_TEXT
    for name in WITH_TEXT - {"cwd/reports.csv"}:
        assert stat.S_IMODE((place.root / name).stat().st_mode) == 0o600
    assert [path for path in place.temp.rglob("*") if path.is_file()] == []


CRASHES = [
    ("build", "data_builders.prepare:_changed", 8, "raise"),
    ("build", "data_builders.prepare:_changed", 8, "kill"),
    ("train", "sft.encode:Encoder._batch", 1, "raise"),
    ("train-encoder", "baselines.encoder.data:TextEncoder.encode", 2, "raise"),
    ("label-model", "inference.labeler:Labeler.label_reports", 2, "raise"),
    ("label-rules", "baselines.rules.labeler:RulesLabeler._label", 8, "raise"),
    ("label-rules", "baselines.rules.labeler:RulesLabeler._label", 8, "kill"),
]


@pytest.mark.parametrize(("name", "function", "nth", "how"), CRASHES)
def test_broken_off(
    chain: Mapping[str, Ended], place: Place, name: str, function: str, nth: int, how: str
) -> None:
    """The error quotes the report; what is shown names only its type. A kill leaves no text
    but in unfinished outputs, which nobody else can read."""
    assert chain
    line = words(CHAIN[name])
    out = next(line[n + 1] for n, word in enumerate(line) if word in {"--out", "--output_dir"})
    fresh = [f"{out}-{how}" if word == out else word for word in line]
    more = ["--shard-rows", "4"] if name.startswith("label") else []
    ended = place.crash(function, nth, how, *fresh, *more)
    assert ended.code == (9 if how == "kill" else 2), ended.out + ended.err
    assert CANARY not in ended.out + ended.err
    if how == "raise":
        assert "ValueError" in ended.err
        assert ended.err.count("labelwright: ") == 1
    assert ended.net == ()
    for found in place.holding(CANARY) - WITH_TEXT - VOCABULARIES:
        assert found.startswith(f"cwd/{out}-{how}/"), found
        assert how == "kill", found
        assert stat.S_IMODE((place.root / found).stat().st_mode) == 0o600
    assert [path for path in place.temp.rglob("*") if path.is_file()] == []
