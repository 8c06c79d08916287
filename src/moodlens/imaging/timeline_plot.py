"""A picture of a video's timeline: probabilities, shown labels, valence and arousal over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from moodlens.emotions import EMOTIONS, STYLES
from moodlens.errors import MoodlensError
from moodlens.types import Analysis

BINS = 1024
"""The most points in time that are kept; beyond them two become one."""
MOST_PEOPLE = 5
"""Rows of labels in the picture, for the faces that are there longest."""

_SCALE = 2  # drawn twice as large and shrunk, for smooth lines
_WIDTH, _HEIGHT = 1600, 900
_LEFT, _RIGHT, _TOP, _BOTTOM = 120, 280, 110, 70
_INK, _FAINT, _GRID = (34, 38, 46), (120, 126, 138), (228, 231, 236)

_LABELS = len(EMOTIONS)
_VALENCE, _AROUSAL, _COUNT = 2 * _LABELS, 2 * _LABELS + 1, 2 * _LABELS + 2
_COLUMNS = 2 * _LABELS + 3


@dataclass(slots=True)
class _Person:
    track_id: int
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((BINS, _COLUMNS)))
    """(bins, columns): summed scores, counts of shown labels, valence, arousal, frames."""


class TimelinePlot:
    """Gathers a video's frames in a fixed number of bins, then draws them.

    The bins start narrow and double in width whenever the video runs past the last one, so
    memory does not grow with its length.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._bin_s = 1 / 30
        self._start_s: float | None = None
        self._end_s = 0.0
        self._people: dict[int, _Person] = {}

    def add(self, analysis: Analysis) -> None:
        """The next frame."""
        at = analysis.timestamp_s or 0.0
        if self._start_s is None:
            self._start_s = at
        at = max(at - self._start_s, 0.0)
        self._end_s = max(self._end_s, at)
        while at >= BINS * self._bin_s:
            self._halve()
        place = int(at / self._bin_s)
        for face in analysis.faces:
            person = self._person(face.track_id or 0)
            row = person.sums[place]
            row[:_LABELS] += list(face.scores.values())
            row[_LABELS + EMOTIONS.index(face.emotion)] += 1
            row[_VALENCE] += face.valence
            row[_AROUSAL] += face.arousal
            row[_COUNT] += 1

    def save(self, path: Path | str) -> None:
        """Write the picture as PNG.

        Raises:
            MoodlensError: the file can't be written.
        """
        try:
            self.draw().save(path, format="PNG")
        except OSError as error:
            raise MoodlensError(
                f"{path}: the timeline plot can't be written: {error.strerror or error}"
            ) from error

    def draw(self) -> Image.Image:
        """The picture, RGB."""
        image = Image.new("RGB", (_WIDTH * _SCALE, _HEIGHT * _SCALE), "white")
        canvas = _Canvas(ImageDraw.Draw(image), max(self._end_s, self._bin_s))
        people = sorted(self._people.values(), key=lambda p: -p.sums[:, _COUNT].sum())
        canvas.heading(self.title, self._subtitle(len(people)))
        if people:
            used = int(self._end_s / self._bin_s) + 1
            self._draw_people(canvas, people[:MOST_PEOPLE], used)
        else:
            canvas.text((_LEFT, 300), "No face was found.", 24, _FAINT)
        return image.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)

    def _draw_people(self, canvas: _Canvas, people: list[_Person], used: int) -> None:
        first = people[0].sums[:used]
        seen = first[:, _COUNT] > 0
        means = first / np.maximum(first[:, _COUNT:], 1.0)
        row = 26
        labels_top = _HEIGHT - _BOTTOM - 190 - row * len(people)
        several = len(self._people) > 1
        caption = f"Probability, face {people[0].track_id}" if several else "Probability"
        canvas.areas(_TOP + 30, labels_top - 50, means[:, :_LABELS], seen, self._bin_s, caption)
        canvas.text((_LEFT, labels_top - 26), "Shown label", 15, _FAINT)
        for i, person in enumerate(people):
            counts = person.sums[:used, _LABELS : 2 * _LABELS]
            name = f"face {person.track_id}"
            canvas.labels(labels_top + i * row, row - 6, counts, self._bin_s, name)
        lines_top = labels_top + row * len(people) + 40
        canvas.lines(
            lines_top, _HEIGHT - _BOTTOM, means[:, [_VALENCE, _AROUSAL]], seen, self._bin_s
        )
        canvas.time_axis(_HEIGHT - _BOTTOM)
        shown = sum(p.sums[:, _LABELS : 2 * _LABELS].sum(axis=0) for p in self._people.values())
        canvas.legend(np.asarray(shown) / max(np.sum(shown), 1.0))

    def _subtitle(self, people: int) -> str:
        faces = "1 face" if people == 1 else f"{people} faces"
        return f"{faces}, {_clock(self._end_s)}; apparent emotion, smoothed"

    def _person(self, track_id: int) -> _Person:
        person = self._people.get(track_id)
        if person is None:
            person = self._people[track_id] = _Person(track_id)
        return person

    def _halve(self) -> None:
        self._bin_s *= 2
        for person in self._people.values():
            person.sums[: BINS // 2] = person.sums[0::2] + person.sums[1::2]
            person.sums[BINS // 2 :] = 0.0


class _Canvas:
    """Draws in units of the finished picture; time runs between the margins."""

    def __init__(self, draw: ImageDraw.ImageDraw, duration_s: float) -> None:
        self._draw = draw
        self._duration_s = duration_s

    def x(self, at_s: float) -> float:
        """Pixel column of a time."""
        share = min(at_s / self._duration_s, 1.0)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        color: tuple[int, int, int] = _INK,
        anchor: str = "la",
    ) -> None:
        font = ImageFont.load_default(size * _SCALE)
        place = (at[0] * _SCALE, at[1] * _SCALE)
        self._draw.text(place, text, font=font, fill=color, anchor=anchor)

    def heading(self, title: str, subtitle: str) -> None:
        shown = title if len(title) <= 80 else "…" + title[-79:]
        self.text((_LEFT, 30), shown, 30)
        self.text((_LEFT, 72), subtitle, 17, _FAINT)

    def areas(
        self,
        top: float,
        bottom: float,
        shares: NDArray[np.float64],
        seen: NDArray[np.bool_],
        bin_s: float,
        caption: str,
    ) -> None:
        """Stacked areas of (bins, labels) probabilities; gaps where no face was seen."""
        self.text((_LEFT, top - 24), caption, 15, _FAINT)
        edges = np.concatenate([np.zeros((len(shares), 1)), shares.cumsum(axis=1)], axis=1)
        ys = bottom - edges * (bottom - top)
        for start, end in _runs(seen):
            xs = [self.x((i + 0.5) * bin_s) for i in range(start, end)]
            xs = [self.x(start * bin_s), *xs, self.x(end * bin_s)]
            rows = [start, *range(start, end), end - 1]
            for label, emotion in enumerate(EMOTIONS):
                lower = [(x, float(ys[i, label])) for x, i in zip(xs, rows, strict=True)]
                upper = [(x, float(ys[i, label + 1])) for x, i in zip(xs, rows, strict=True)]
                self._polygon(lower + upper[::-1], STYLES[emotion].hex_color)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            y = bottom - share * (bottom - top)
            self._line([(_LEFT - 6, y), (_LEFT, y)], _FAINT, 1)
            self.text((_LEFT - 12, y), f"{share:.0%}", 14, _FAINT, "rm")

    def labels(
        self, top: float, height: float, counts: NDArray[np.float64], bin_s: float, name: str
    ) -> None:
        """A band of the label shown most in each of (bins, labels) counts."""
        self.text((_LEFT - 12, top + height / 2), name, 14, _FAINT, "rm")
        self._polygon(_rectangle(_LEFT, top, _WIDTH - _RIGHT, top + height), _GRID)
        shown = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), -1)
        for label, emotion in enumerate(EMOTIONS):
            for start, end in _runs(shown == label):
                box = _rectangle(self.x(start * bin_s), top, self.x(end * bin_s), top + height)
                self._polygon(box, STYLES[emotion].hex_color)

    def lines(
        self,
        top: float,
        bottom: float,
        values: NDArray[np.float64],
        seen: NDArray[np.bool_],
        bin_s: float,
    ) -> None:
        """Valence and arousal, (bins, 2) in -1 to 1."""
        middle, half = (top + bottom) / 2, (bottom - top) / 2
        for value in (-1.0, 0.0, 1.0):
            y = middle - value * half
            self._line([(_LEFT, y), (_WIDTH - _RIGHT, y)], _GRID, 1)
            self.text((_LEFT - 12, y), f"{value:+.0f}" if value else "0", 14, _FAINT, "rm")
        for column, (name, color) in enumerate((("Valence", "#0072B2"), ("Arousal", "#D55E00"))):
            self.text((_LEFT + column * 90, top - 24), name, 15, _rgb(color))
            for start, end in _runs(seen):
                points = [
                    (self.x((i + 0.5) * bin_s), middle - float(values[i, column]) * half)
                    for i in range(start, end)
                ]
                self._line(points, _rgb(color), 2)

    def time_axis(self, y: float) -> None:
        step = next((s for s in _STEPS_S if self._duration_s / s <= 10), self._duration_s / 10)
        for i in range(int(self._duration_s / step + 1e-6) + 1):
            x = self.x(i * step)
            self._line([(x, y), (x, y + 6)], _FAINT, 1)
            self.text((x, y + 12), _clock(i * step), 14, _FAINT, "ma")

    def legend(self, shares: NDArray[np.float64]) -> None:
        left = _WIDTH - _RIGHT + 36
        self.text((left, _TOP + 6), "Share of time", 15, _FAINT)
        for i, label in enumerate(np.argsort(-shares, kind="stable").tolist()):
            y = _TOP + 36 + i * 34
            box = _rectangle(left, y, left + 20, y + 20)
            self._polygon(box, STYLES[EMOTIONS[label]].hex_color)
            self.text((left + 32, y + 10), EMOTIONS[label], 17, _INK, "lm")
            self.text((_WIDTH - 40, y + 10), f"{shares[label]:.0%}", 17, _INK, "rm")

    def _polygon(
        self, points: list[tuple[float, float]], color: str | tuple[int, int, int]
    ) -> None:
        if len(points) > 2:
            self._draw.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=color)

    def _line(
        self, points: list[tuple[float, float]], color: tuple[int, int, int], width: int
    ) -> None:
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.line(scaled, fill=color, width=width * _SCALE, joint="curve")


_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


def _rectangle(x1: float, y1: float, x2: float, y2: float) -> list[tuple[float, float]]:
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of every stretch of true values."""
    padded = np.concatenate([[False], flags, [False]]).astype(np.int8)
    steps = np.diff(padded)
    return list(
        zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True)
    )


def _rgb(color: str) -> tuple[int, int, int]:
    value = int(color[1:], 16)
    return value >> 16, value >> 8 & 255, value & 255


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
