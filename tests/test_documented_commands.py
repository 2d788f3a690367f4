"""Every command of README and tutorials is run, in their order; those of all pages are read.

Trainings are cut to a step or two. What a page shows as output must be what the command says;
times, and what a training that was cut says, may have other figures.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from documented import Shown, commands
from test_layout import ROOT

from labelwright.cli import COMMANDS, main, parser

README = ROOT / "README.md"
TUTORIALS = sorted((ROOT / "docs").glob("tutorial*.md"))
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "examples" / "README.md"]
OWN = re.compile(r"(?:examples|sft|baselines|benchmarks|docs)/[\w./-]+")

ELSEWHERE = {
    "make demo": "installs; its commands are those below",
    "make test": "is what runs this test",
    ". .venv/bin/activate": "the environment is active",
    "labelwright train --config qwen2.5-0.5b-lora": "needs a GPU and a model of the hub",
    "accelerate launch": "needs four GPUs and a model of the hub",
    "labelwright review serve": "serves until it is stopped; tests/review do that",
}
"""What is shown and not run here, and why."""
MORE = {
    "train": ("--max_steps", "1", "--save_strategy", "no", "--report_to", "none"),
    "train-encoder": ("--max_steps", "1"),
    "train-tagger": ("--max_steps", "1"),
    "review": ("--password-stdin",),
}
"""Flags that are added: trainings are cut, passwords come from a pipe."""
SHELL = {"mkdir", "printf", "cat", "cp"}
VERDICT = r"is (better|worse) than|No difference shown between|reaches an? "


def words_after_name(shown: Shown) -> list[str]:
    """The arguments of a labelwright command, without what a shell does with it."""
    words = shown.words
    words = words[words.index("labelwright") + 1 :]
    ends = [at for at, word in enumerate(words) if word in {"|", ">", "<", "&", "&&", "2>"}]
    return words[: min(ends, default=len(words))]


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_commands_of_pages_are_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands, flags and choices exist, and so do the files of the repository that they name."""
    for shown in commands(page):
        for name in OWN.findall(shown.line):
            assert (ROOT / name.rstrip(".")).exists() or "*" in shown.line, (shown.place, name)
        if shown.program != "labelwright" or re.search("[…[]", shown.line):
            continue
        words = words_after_name(shown)
        if " ".join(words[:2]) in COMMANDS:
            words[:2] = [" ".join(words[:2])]
        if words[0] not in COMMANDS:
            continue  # the top's own flags, and the mistake that a page shows
        code, rest = 0, []
        try:
            _, rest = parser([words[0]]).parse_known_args(words)
        except SystemExit as stopped:  # --help ends so too
            code = stopped.code
        assert code == 0, (shown.place, capsys.readouterr().err)
        assert not rest or COMMANDS[words[0]].passes_on, (shown.place, rest)


class Runner:
    """Runs the commands of a page in a folder that holds what a clone holds."""

    def __init__(
        self,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.folder = folder
        self.capsys = capsys
        self.monkeypatch = monkeypatch
        self.cut = False

    def run(self, shown: Shown) -> None:
        """Run one, and compare what it says with what the page shows."""
        words = shown.words
        if shown.program in SHELL:
            done = subprocess.run(
                ["bash", "-ec", shown.line],
                cwd=self.folder,
                check=True,
                capture_output=True,
                text=True,
            )
            said = done.stdout
        else:
            assert shown.program == "labelwright", f"{shown.place}: how is it run?"
            words = words_after_name(shown)
            cut = words[0].startswith("train")
            self.cut = self.cut or cut
            more = MORE.get(words[0], ()) if cut or "user" in words else ()
            self.monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
            code = main([*words, *more])
            told = self.capsys.readouterr()
            said = f"{told.out}\n{told.err}"
            assert code == 0, (shown.place, said)
        spoken = re.sub(r"\s+", " ", said)
        for line in shown.prints:
            known = VERDICT if self.cut and words[0] == "eval" else pattern(line, loose=self.cut)
            assert re.search(known, spoken), (shown.place, line, spoken)


def pattern(line: str, *, loose: bool) -> str:
    """A pattern for a shown line: … is anything; rates, and with ``loose`` all figures, differ.

    What is said after a training that was cut has other figures.
    """
    text = re.escape(re.sub(r"\s+", " ", line.strip())).replace("…", ".*")
    text = re.sub(r"[\d.,\\]+ (?=rows/s|seconds)".replace(" ", r"\\ "), r"[\\d.,]+\\ ", text)
    if not loose:
        return text
    text = re.sub(r"\bsteps\b", "steps?", text)
    return re.sub(r"\d+(?:(?:\\\.|,)\d+)*", r"[\\d.,]+", text)


def reason(shown: Shown) -> str | None:
    return next((why for start, why in ELSEWHERE.items() if shown.line.startswith(start)), None)


@pytest.mark.slow
@pytest.mark.parametrize("page", [README, *TUTORIALS], ids=lambda page: page.name)
def test_commands_run(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("reports.csv", "labels.csv"):  # the reader's own
        shutil.copy(ROOT / "examples" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    runner = Runner(tmp_path, capsys, monkeypatch)
    shown = commands(page)
    assert len(shown) > 3
    for one in shown:
        if reason(one) is None:
            runner.run(one)


def test_what_is_not_run_is_still_shown() -> None:
    lines = [shown.line for page in (README, *TUTORIALS) for shown in commands(page)]
    stale = [start for start in ELSEWHERE if not any(line.startswith(start) for line in lines)]
    assert stale == []
