"""Text from outside stays text; the small charts say their figures."""

from __future__ import annotations

import re

import pytest

from moodlens.emotions import EMOTIONS
from moodlens.webapp import figures
from moodlens.webapp.text import plain, safe_stem, short_name


@pytest.mark.parametrize("mark", list("\\`*_{}[]()#+-.!|~$<>:&"))
def test_every_mark_of_markdown_is_escaped(mark: str) -> None:
    assert plain(f"a{mark}b") == f"a\\{mark}b"


def test_a_name_is_one_line_without_control_characters() -> None:
    assert plain("a\n# b\x00\tc") == r"a \# b c"


def test_a_long_name_keeps_its_start_and_ending() -> None:
    name = "start" + "x" * 200 + "end.png"
    assert short_name(name).startswith("start")
    assert short_name(name).endswith("end.png")
    assert len(short_name(name)) == 60
    assert short_name("a.png") == "a.png"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\a b.png", "a-b"),
        ("<b>.mp4", "b"),
        ("???", "moodlens"),
        ("é.jpg", "é"),
    ],
)
def test_a_download_has_a_harmless_name(name: str, stem: str) -> None:
    assert safe_stem(name) == stem


def test_bars_say_seven_figures_in_order() -> None:
    scores = {e: 0.4 if e == "happy" else 0.1 for e in EMOTIONS}
    said = re.findall(r'aria-label="(\w+) (\d+)%"', figures.bars(scores, "happy", "x"))
    assert [name for name, _ in said] == list(EMOTIONS)
    assert dict(said)["happy"] == "40"


def test_the_plane_has_a_point_where_the_face_is_and_escapes_names() -> None:
    html = figures.circumplex([("<1>", "happy", 1.0, -1.0)])
    assert "left:95.0%;top:95.0%" in html
    assert "<1>" not in html
    assert "valence +1.00, arousal -1.00" in html


def test_areas_fill_the_height_and_stop_at_gaps() -> None:
    even = tuple(1 / 7 for _ in EMOTIONS)
    rows = [(10.0, even), (9.5, even), (5.0, even), (4.5, even), (0.5, even)]
    html = figures.stacked(rows, 60.0, "said", 6)
    areas = re.findall(r"clip-path:polygon\(([^)]*)\)", html)
    assert len(areas) == 2 * len(EMOTIONS)  # two stretches; the lone last point is no area
    assert areas[6].split(",")[0].endswith(" 0.0%")  # the last emotion reaches the top
    assert areas[0].split(",")[-1].endswith(" 100.0%")  # the first stands on the ground
    assert areas[0].startswith("83.33%")


def test_lines_are_higher_for_more() -> None:
    html = figures.lines([(1.0, 1.0, -1.0), (0.5, 1.0, -1.0)], 60.0, "said")
    valence, arousal = re.findall(r"clip-path:polygon\(([^)]*)\)", html)
    assert float(valence.split(",")[0].split()[1][:-1]) < 10
    assert float(arousal.split(",")[0].split()[1][:-1]) > 90


def test_no_rows_give_an_empty_chart() -> None:
    assert "clip-path" not in figures.stacked([], 60.0, "nothing", 6)
