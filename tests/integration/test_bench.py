"""`moodlens bench` as a user runs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moodlens.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in this process: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["moodlens", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), out, err

    return call


def test_json_on_standard_output_alone(run: Run) -> None:
    code, out, err = run("--quick", "--detector", "haar", "--json", "-")
    assert code == 0, err
    result = json.loads(out)
    assert result["benchmark"] == "bench"
    assert result["quick"] is True
    assert [(row["width"], row["height"]) for row in result["frames"]] == [(320, 240), (640, 480)]
    for row in result["frames"]:
        assert row["found"] == row["faces"] == 1
        assert row["floor_ms"] is None
        steps = ("decode", "detect", "crop", "classify", "whole", "stream", "floor_classify")
        assert all(row[f"{step}_ms"] > 0 for step in steps)
    (start,) = result["start"]
    assert start["faces"] == 1
    parts = start["import_s"] + start["load_s"] + start["first_frame_s"]
    assert 0 < parts < start["cold_start_s"]
    assert 20 < start["resident_mib"] <= start["peak_mib"]
    assert "640x480" in err
    assert "Detector haar" in err


def test_table_on_standard_output_and_figures_in_a_file(run: Run, tmp_path: Path) -> None:
    picture, figures = tmp_path / "flat.png", tmp_path / "bench.json"
    Image.fromarray(np.full((60, 60, 3), 90, np.uint8)).save(picture)
    code, out, err = run(
        *("--quick", "--detector", "haar", "--image", picture, "--json", figures),
    )
    assert code == 0, err
    assert "0/1" in out  # the picture holds no face, and the table says so
    assert max(map(len, out.splitlines())) <= 100
    assert json.loads(figures.read_text())["picture"] == "flat.png"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--detector", "none"], "--detector none: not on this machine"),
        (["--image", "absent.png"], "absent.png: no such file"),
        (["--quick", "--full"], "exclude each other"),
        (["--quick", "--detector", "haar", "--model", "absent"], "no model of that name"),
        (["--quick", "--json", "absent/folder/a.json"], "can't be written"),
    ],
)
def test_wrong_use_is_one_line(run: Run, arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2
    assert said in err
    assert out == ""
    assert len(err.strip().splitlines()) == 1
