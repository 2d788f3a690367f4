"""Bars: on a terminal and in a notebook, not in a file."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from labelwright.runtime.progress import progress_bar


@pytest.mark.parametrize("notebook", [False, True])
def test_a_notebook_shows_bars_though_it_is_no_terminal(
    notebook: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What tells a notebook is that its kernel's package is loaded."""
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # as where it is not installed
    if notebook:
        monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    assert list(progress_bar([1, 2, 3], "reading")) == [1, 2, 3]
    assert ("reading: 100%" in capsys.readouterr().err) is notebook
