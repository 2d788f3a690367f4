"""Help that fits a screen, completion in shells, and what the doctor says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from labelwright.cli import COMMANDS, USUAL, main, parser
from labelwright.commands import doctor
from labelwright.commands.completion import SHELLS, script, words_of
from labelwright.commands.flags import Parser, verbs_of


def sub(name: str) -> Parser:
    (commands,) = (a for a in parser()._actions if a.dest == "command")
    assert isinstance(commands.choices, dict)
    found = commands.choices[name]
    assert isinstance(found, Parser)
    return found


@pytest.mark.parametrize("name", USUAL)
def test_usual_flags_are_flags_and_the_rest_is_said_to_be_there(name: str) -> None:
    own = sub(name)
    known = {word for action in own._actions for word in (*action.option_strings, action.dest)}
    assert set(USUAL[name]) <= known
    short = own.format_help()
    hidden = re.search(rf"(\d+) more flags: labelwright {name} --help-all", short)
    shown = set(re.findall(r"^ +(--[\w-]+)", short, re.MULTILINE))
    assert shown - {"--help-all"} <= set(USUAL[name])
    own.usual = ()
    every = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", own.format_help()))
    assert {
        flag for action in own._actions for flag in action.option_strings if "--" in flag
    } <= every
    assert hidden
    assert int(hidden[1]) + len(USUAL[name]) + 2 == len(own._actions)  # and the two helps


def test_help_all_shows_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    for word, there in (("--help", False), ("--help-all", True)):
        with pytest.raises(SystemExit) as stopped:
            main(["label", word])
        assert stopped.value.code == 0
        said = capsys.readouterr().out
        assert ("--ocr-language" in said) is there
        assert "--model" in said
        assert len(said.splitlines()) < 110 or there


def test_every_command_and_verb_takes_help_all(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        for each in (sub(name), *verbs_of(sub(name))):
            assert "--help-all" in each._option_string_actions, each.prog
    for words in (["doctor"], ["label-set", "check"], ["index", "build"], []):
        said = []
        for word in ("--help", "--help-all"):
            with pytest.raises(SystemExit) as stopped:
                main([*words, word])
            assert stopped.value.code == 0
            said.append(capsys.readouterr().out)
        assert said[0] == said[1]
        assert "usage: labelwright" in said[0]


def test_completion_knows_commands_flags_and_choices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = words_of(parser())
    assert set(words) == set(COMMANDS)
    for shell in SHELLS:
        said = script(shell, words)
        assert all(name.partition(" ")[0] in said for name in COMMANDS)
        assert "learning_rate" in said  # passed on, so known from the help's text alone
    assert main(["completion", "bash"]) == 0
    (tmp_path / "c.sh").write_text(capsys.readouterr().out, encoding="utf-8")
    ask = 'COMP_WORDS=({}); COMP_CWORD={}; _labelwright; echo "${{COMPREPLY[*]}}"'
    asked = [
        ("labelwright ev", 1),
        ("labelwright label --dec", 2),
        ("labelwright label --long ''", 3),
        ("labelwright label-set ''", 2),
        ("labelwright eval ablation --meth", 3),
    ]
    lines = ["source c.sh", *(ask.format(*one) for one in asked)]
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "eval evidence",
        "--decode --decide",
        "windows reject",
        "list check show",
        "--methods",
    ]


def test_the_doctor_finds_what_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELWRIGHT_CACHE", str(tmp_path / "cache"))
    assert main(["doctor", "--out", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    for name in ("labelwright", "torch", "CPU", "model labelwright-chest", "Hugging Face hub"):
        assert re.search(rf"^(ok|--)  {re.escape(name)} ", said, re.MULTILINE)
    assert "not asked; --hub asks" in said
    assert "not fetched; labelwright fetch smollm2" in said
    assert list(tmp_path.iterdir()) == []  # nothing stays

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", full)
    assert main(["doctor"]) == 2
    assert "!!  results" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ("label-set", "check", "head-ct-5", "--debug"),
        ("label-set", "--debug", "check", "head-ct-5"),
    ],
)
def test_tracebacks_are_asked_for_before_or_behind_a_verb(words: tuple[str, ...]) -> None:
    assert main([*words]) == 0


def test_places_that_may_be_empty_are_not_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["grid"])
    assert "required: GRID, --out;" in capsys.readouterr().err
