"""Slips on the command line: one line says what is wrong, and no flag is ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelwright.cli import main

LABEL = ("label", "{r}", "--model", "rules", "--out", "{out}")
BUILD = ("build", "{r}", "--label-set", "chexpert-14", "--labels", "rules", "--out", "{out}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "the following arguments are required: COMMAND; see labelwright --help"),
        (("label",), "are required: FILE, --out; see labelwright label --help"),
        ((*LABEL, "--batchsize", "4"), "unknown flag --batchsize; did you mean --batch-size?"),
        ((*LABEL[:-2], "--ouut", "{out}"), "unknown flag --ouut; did you mean --out?"),
        ((*LABEL[:-2], "--colour"), "are required: --out; see labelwright label --help"),
        (("lable", "{r}"), "unknown command 'lable'; did you mean label?"),
        (("nothing",), "unknown command 'nothing'; choose from: build, train, "),
        (("index", "serch"), "unknown command 'serch'; did you mean search?"),
        (
            ("eval", "ablaton", "--gold", "g", "--out", "{out}"),
            "unknown command 'eval ablaton'; did you mean eval ablation?",
        ),
        ((*LABEL, "--input-format", "jsnl"), "invalid choice 'jsnl'; did you mean jsonl?"),
        ((*LABEL, "--id-column", "ID #"), "columns found: id, text, Accession #"),
        ((*LABEL, "--colour"), "unknown flag --colour; see labelwright label --help"),
        ((*LABEL, "--sect", "both"), "unknown flag --sect; did you mean"),
        ((*LABEL, "--limit", "many"), "--limit: must be a whole number of at least 1; see"),
        ((*LABEL, "--shard-rows", "0"), "--shard-rows: must be a whole number of at least 1"),
        ((*LABEL[:-1], ""), "an argument is empty, as an unset variable of the shell makes it"),
        ((*BUILD, "{r}"), "r.csv; files stand together, before or after flags; see labelwright b"),
        ((*BUILD, "--seed", "x"), "--seed: must be a whole number from 0 to 4294967295; see"),
        ((*LABEL, "--encoding", "a\udcff"), "unknown encoding"),
        ((*LABEL, "--id-column", "text"), "the column text cannot be both id and text"),
        ((*LABEL, "--delimiter", ";"), "separated by ',': give --delimiter"),
        ((*BUILD, "--openi-table", "t"), "--openi-table is for --labels openi-mesh; leave"),
        ((*BUILD, "--label-id-columns", "a"), "--label-id-columns is for a label table; leave"),
        ((*BUILD, "--split-id-columns", "a"), "--split-id-columns is for --split-file; leave"),
        ((*BUILD[:5], "{r}", *BUILD[6:], "--rules", "f"), "--rules is for --labels rules; leave"),
        ((*LABEL[:2], "--model", "x" * 300, *LABEL[4:]), "File name too long; check the path"),
    ],
)
def test_slips_are_answered_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    reports = tmp_path / "r.csv"
    reports.write_text("id,text,Accession #\nr1,The heart is enlarged.,1\n")
    out = tmp_path / "out"
    try:
        code = main([word.format(r=reports, out=out) for word in words])
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("labelwright: ")
    assert message in said.err
    assert said.err.count("\n") == 1
    assert not out.exists()
