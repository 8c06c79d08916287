"""The plot of a timeline holds what was shown, in a fixed amount of memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moodlens.emotions import EMOTIONS, STYLES, Emotion
from moodlens.errors import MoodlensError
from moodlens.imaging.timeline_plot import BINS, TimelinePlot
from moodlens.types import Analysis, Face


def frame(at_s: float, emotion: Emotion | None, track: int = 1) -> Analysis:
    if emotion is None:
        return Analysis("a", 64, 48, timestamp_s=at_s)
    shown = Face(
        box_xyxy=(0, 0, 50, 50),
        detection_score=0.9,
        scores=dict.fromkeys(EMOTIONS, 0.01) | {emotion: 0.94},
        emotion=emotion,
        confidence=0.94,
        uncertain=False,
        valence=STYLES[emotion].valence,
        arousal=STYLES[emotion].arousal,
        track_id=track,
    )
    return Analysis("a", 64, 48, (shown,), timestamp_s=at_s)


def share_of(image: Image.Image, emotion: Emotion) -> float:
    """Share of the picture, without its legend, in an emotion's colour."""
    pixels = np.asarray(image)[:, :1300].astype(int)
    blue, green, red = STYLES[emotion].bgr
    return float((np.abs(pixels - [red, green, blue]).max(axis=2) < 6).mean())


def test_colours_follow_the_shares(tmp_path: Path) -> None:
    plot = TimelinePlot("clip.mp4")
    for i in range(300):
        plot.add(frame(i / 30, "happy" if i < 200 else "sad"))
    plot.save(tmp_path / "plot.png")
    image = Image.open(tmp_path / "plot.png").convert("RGB")
    assert image.size == (1600, 900)
    happy, sad = share_of(image, "happy"), share_of(image, "sad")
    assert happy / sad == pytest.approx(2.0, rel=0.15)
    assert share_of(image, "angry") < 0.01


def test_a_long_video_keeps_its_shape_in_few_bins() -> None:
    plot = TimelinePlot("long.mp4")
    for i in range(5000):
        plot.add(frame(i * 1.0, "happy" if i < 2500 else "sad"))
    (person,) = plot._people.values()
    assert person.sums.shape[0] == BINS
    assert person.sums[:, -1].sum() == 5000
    image = plot.draw()
    assert share_of(image, "happy") == pytest.approx(share_of(image, "sad"), rel=0.1)


def test_a_gap_stays_empty() -> None:
    plot = TimelinePlot("clip.mp4")
    for i in range(300):
        plot.add(frame(i / 30, "happy" if i < 100 or i >= 200 else None))
    full = TimelinePlot("clip.mp4")
    for i in range(300):
        full.add(frame(i / 30, "happy"))
    ratio = share_of(plot.draw(), "happy") / share_of(full.draw(), "happy")
    assert ratio == pytest.approx(2 / 3, rel=0.1)


@pytest.mark.parametrize("frames", [0, 1])
def test_next_to_nothing_can_be_drawn(frames: int) -> None:
    plot = TimelinePlot("x" * 300)
    for _ in range(frames):
        plot.add(frame(3.0, "fear"))
    assert plot.draw().size == (1600, 900)


def test_many_people_fit() -> None:
    plot = TimelinePlot("crowd.mp4")
    for i in range(60):
        for track in range(1, 13):
            plot.add(frame(i / 30, EMOTIONS[track % 7], track))
    assert plot.draw().size == (1600, 900)


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(MoodlensError, match=r"p\.png: the timeline plot"):
        TimelinePlot("a").save(tmp_path / "none" / "p.png")
