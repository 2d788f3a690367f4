"""``labelwright build`` and ``label-set`` on the command line, for label sets of entities."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelwright.cli import main


def test_show_and_check_label_sets_of_entities(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label-set", "check", "disease-1"]) == 0
    assert capsys.readouterr().out.startswith("disease-1 1.0: 1 type of entities that stand apart")
    assert main(["label-set", "show", "disease-1"]) == 0
    shown = capsys.readouterr().out
    assert "# prompt\nYou extract entities" in shown
    assert "# an answer\nDisease: " in shown


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--labels", "rules"), "--labels is for label sets of certainties, and the t"),
        (("--augment", "2"), "--augment is for label sets of certainties"),
        (("--sections", "both"), "--sections both would cut the notes that the entities stand in"),
        (("--only-types", "Sign"), "--only-types: label set disease-1 has no type 'Sign'"),
        (("--rename-type", "Sign"), "argument --rename-type: must be OLD=NEW"),
        (("--rename-type", "a=Disease", "--rename-type", "a=b"), "--rename-type a is given twice"),
        (
            ("--label-set", "head-ct-5", "--overlaps", "longest"),
            "--overlaps is for label sets",
        ),
    ],
)
def test_flags_that_do_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], words: str
) -> None:
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"id": "a", "text": "No flu."}\n')
    out = tmp_path / "out"
    base = ["build", str(notes), "--label-set", "disease-1", "--out", str(out)]
    try:
        code = main([*base, *flags])
    except SystemExit as exit_:
        code = int(str(exit_.code))
    assert code == 2
    assert words in capsys.readouterr().err
    assert not out.exists()
