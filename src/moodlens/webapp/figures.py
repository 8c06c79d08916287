"""Small charts as plain HTML: they change in place without flicker and say themselves aloud.

Each function gives a string for `st.html`. Colours of text and lines are the theme's own
(`currentColor`), so light and dark both work. Every chart is one image for a screen reader, with
its figures as the label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, TypeVar

from moodlens.emotions import EMOTIONS, STYLES, Emotion

RAIL = "color-mix(in srgb, currentColor 14%, transparent)"
FAINT = "color-mix(in srgb, currentColor 65%, transparent)"
EDGE = "color-mix(in srgb, currentColor 30%, transparent)"
Row = TypeVar("Row", bound=tuple[Any, ...])
VALENCE_COLOR, AROUSAL_COLOR = "#0072B2", "#D55E00"


def bars(scores: Mapping[Emotion, float], shown: Emotion | None, test_id: str) -> str:
    """Seven bars in the order of the contract, the shown one in bold.

    Args:
        scores: shares of 1.
        shown: the emotion to stress; None for none.
        test_id: the chart's name for tests.
    """
    rows = []
    for emotion in EMOTIONS:
        style, p = STYLES[emotion], scores[emotion]
        weight = "700" if emotion == shown else "400"
        rows.append(
            f'<div role="img" aria-label="{emotion} {p:.0%}" style="display:grid;'
            "grid-template-columns:6.6rem 1fr 2.8rem;gap:.5rem;align-items:center;"
            f'line-height:1.75;font-weight:{weight}">'
            f'<span style="white-space:nowrap">{style.emoji} {emotion}</span>'
            f'<span style="background:{RAIL};border-radius:.4rem;height:.75rem">'
            f'<span style="display:block;width:{100 * p:.1f}%;background:{style.hex_color};'
            'height:.75rem;border-radius:.4rem"></span></span>'
            f'<span style="text-align:right;font-variant-numeric:tabular-nums">{p:.0%}</span></div>'
        )
    return f'<div data-testid="{escape(test_id)}">{"".join(rows)}</div>'


def circumplex(points: Sequence[tuple[str, Emotion, float, float]], max_rem: float = 15) -> str:
    """Where faces lie on the plane of valence (left to right) and arousal (bottom to top).

    Args:
        points: name (such as a number), emotion, valence and arousal in -1 to 1.
        max_rem: the largest width.
    """
    said = "; ".join(
        f"{name} {emotion}: valence {valence:+.2f}, arousal {arousal:+.2f}".strip()
        for name, emotion, valence, arousal in points
    )
    marks = [
        _mark(
            STYLES[e].valence,
            STYLES[e].arousal,
            f'<span style="opacity:.55">{STYLES[e].emoji}</span>',
        )
        for e in EMOTIONS
    ]
    for name, emotion, valence, arousal in points:
        dot = (
            f'<span style="display:flex;align-items:center;justify-content:center;width:1.35rem;'
            f"height:1.35rem;border-radius:50%;background:{STYLES[emotion].hex_color};color:#111;"
            'font-size:.75rem;font-weight:700;border:2px solid #fff;box-shadow:0 0 0 2px #222">'
            f"{escape(name)}</span>"
        )
        marks.append(_mark(valence, arousal, dot))
    ends = (
        ("left:50%;top:0;transform:translate(-50%,0)", "excited"),
        ("left:50%;bottom:0;transform:translate(-50%,0)", "calm"),
        ("left:.3rem;top:51%", "unpleasant"),
        ("right:.3rem;top:51%", "pleasant"),
    )
    names = "".join(
        f'<span style="position:absolute;{place};font-size:.75rem;color:{FAINT}">{name}</span>'
        for place, name in ends
    )
    line = f"position:absolute;background:{EDGE}"
    return (
        f'<div role="img" data-testid="circumplex" aria-label="{escape(said)}" '
        f'style="position:relative;width:100%;max-width:{max_rem}rem;aspect-ratio:1">'
        f'<div style="position:absolute;inset:5%;border:1px solid {EDGE};border-radius:50%"></div>'
        f'<div style="{line};left:5%;right:5%;top:50%;height:1px"></div>'
        f'<div style="{line};top:5%;bottom:5%;left:50%;width:1px"></div>'
        f"{names}{''.join(marks)}</div>"
    )


def _mark(valence: float, arousal: float, inner: str) -> str:
    left, top = 50 + 45 * _clamp(valence), 50 - 45 * _clamp(arousal)
    return (
        f'<span style="position:absolute;left:{left:.1f}%;top:{top:.1f}%;'
        f'transform:translate(-50%,-50%)">{inner}</span>'
    )


def stacked(
    rows: Sequence[tuple[float, Sequence[float]]], width_s: float, label: str, height_rem: float = 9
) -> str:
    """The seven probabilities over the last seconds, as areas on top of each other.

    Args:
        rows: age in seconds (0 is now) and seven shares, oldest first; a gap of more than a
            second between two rows is left empty.
        width_s: seconds from the left edge to the right one.
        label: what a screen reader says.
        height_rem: of the chart.
    """
    layers = []
    for run in _runs(rows):
        edges = [[0.0] * len(run)]
        for i in range(len(EMOTIONS)):
            edges.append([below + row[1][i] for below, row in zip(edges[-1], run, strict=True)])
        xs = [100 * (1 - _clamp(age / width_s)) for age, _ in run]
        for i, emotion in enumerate(EMOTIONS):
            upper = [
                f"{x:.2f}% {100 - 100 * y:.1f}%" for x, y in zip(xs, edges[i + 1], strict=True)
            ]
            lower = [f"{x:.2f}% {100 - 100 * y:.1f}%" for x, y in zip(xs, edges[i], strict=True)]
            layers.append(_area(upper + lower[::-1], STYLES[emotion].hex_color))
    return _frame("".join(layers), width_s, label, height_rem, "live-timeline")


def lines(
    rows: Sequence[tuple[float, float, float]], width_s: float, label: str, height_rem: float = 5
) -> str:
    """Valence and arousal over the last seconds.

    Args:
        rows: age in seconds, valence, arousal (-1 to 1), oldest first.
        width_s: seconds from the left edge to the right one.
        label: what a screen reader says.
        height_rem: of the chart.
    """
    layers = [
        f'<div style="position:absolute;left:0;right:0;top:50%;height:1px;background:{EDGE}"></div>'
    ]
    half = 1.6  # per cent of the height, each side
    for column, color in ((1, VALENCE_COLOR), (2, AROUSAL_COLOR)):
        for run in _runs(rows):
            points = [
                (100 * (1 - _clamp(row[0] / width_s)), 50 - 46 * _clamp(row[column])) for row in run
            ]
            upper = [f"{x:.2f}% {y - half:.1f}%" for x, y in points]
            lower = [f"{x:.2f}% {y + half:.1f}%" for x, y in points]
            layers.append(_area(upper + lower[::-1], color))
    return _frame("".join(layers), width_s, label, height_rem, "live-valence")


def key(entries: Iterable[tuple[str, str]]) -> str:
    """A legend: names with their colours."""
    parts = "".join(
        f'<span style="white-space:nowrap"><span style="display:inline-block;width:.7rem;'
        f"height:.7rem;border-radius:.15rem;background:{color};margin-right:.3rem"
        f'"></span>{escape(name)}</span>'
        for name, color in entries
    )
    return (
        '<div aria-hidden="true" style="display:flex;flex-wrap:wrap;gap:.2rem .8rem;'
        f'font-size:.8rem">{parts}</div>'
    )


def _frame(inner: str, width_s: float, label: str, height_rem: float, test_id: str) -> str:
    return (
        f'<div role="img" data-testid="{test_id}" aria-label="{escape(label)}">'
        f'<div style="position:relative;height:{height_rem}rem;background:{RAIL};'
        f'border-radius:.3rem;overflow:hidden">{inner}</div>'
        f'<div style="display:flex;justify-content:space-between;font-size:.75rem;color:{FAINT}">'
        f"<span>{width_s:.0f} s ago</span><span>now</span></div></div>"
    )


def _area(points: list[str], color: str) -> str:
    shape = f"clip-path:polygon({','.join(points)})"
    return f'<div style="position:absolute;inset:0;background:{color};{shape}"></div>'


def _runs(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows without a gap of more than a second between them; a lone one is no area."""
    runs: list[list[Row]] = []
    for row in rows:
        if runs and runs[-1][-1][0] - row[0] <= 1.0:
            runs[-1].append(row)
        else:
            runs.append([row])
    return [run for run in runs if len(run) > 1]


def _clamp(value: float) -> float:
    return min(max(value, -1.0), 1.0)
