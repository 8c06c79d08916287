"""Interactive charts (Altair) over finished sessions; every one has its figures in tooltips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from moodlens.emotions import EMOTIONS, STYLES, Emotion
from moodlens.history import Sample, SavedSession
from moodlens.webapp import figures
from moodlens.webapp.figures import AROUSAL_COLOR, VALENCE_COLOR

HEIGHT = 240
PAIR = ("#0072B2", "#E69F00")
"""The colours of two sessions beside each other."""
Chart = Any
"""An Altair chart; the package has no types that help here."""


def emotion_key() -> str:
    """HTML that names the emotions' colours."""
    return figures.key((e, STYLES[e].hex_color) for e in EMOTIONS)


def mood_key() -> str:
    """HTML that names the colours of valence and arousal."""
    return figures.key((("valence", VALENCE_COLOR), ("arousal", AROUSAL_COLOR)))


def emotion_color() -> Any:
    """The emotions' own colours; `emotion_key` beside a chart says which is which."""
    return alt.Color(
        "emotion:N",
        sort=list(EMOTIONS),
        scale=alt.Scale(domain=list(EMOTIONS), range=[STYLES[e].hex_color for e in EMOTIONS]),
        legend=None,
    )


def seconds(samples: Sequence[Sample]) -> Chart:
    """The seven probabilities over a session, mean of all faces of a second, as stacked areas."""
    sums: dict[int, list[float]] = {}
    for sample in samples:
        row = sums.setdefault(sample.second, [0.0] * (len(EMOTIONS) + 1))
        for i, p in enumerate(sample.scores):
            row[i] += p
        row[-1] += 1
    step = max(1, -(-max(sums, default=0) // 600))  # at most 600 points a line
    rows = [
        {"second": second, "emotion": e, "probability": row[i] / row[-1], "order": i}
        for second, row in sorted(sums.items())
        if second % step == 0
        for i, e in enumerate(EMOTIONS)
    ]
    frame = pd.DataFrame(rows, columns=["second", "emotion", "probability", "order"])
    return (
        alt.Chart(frame, height=HEIGHT)
        .mark_area(interpolate="monotone", line=False)
        .encode(
            x=alt.X("second:Q", title="seconds", axis=alt.Axis(tickMinStep=1, grid=False)),
            y=alt.Y(
                "probability:Q",
                stack="zero",
                title=None,
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format="%"),
            ),
            color=emotion_color(),
            order="order:Q",
            tooltip=["second:Q", "emotion:N", alt.Tooltip("probability:Q", format=".0%")],
        )
    )


def clip(points: pd.DataFrame) -> Chart:
    """A clip's course; pointing at it shows that moment's picture and scores.

    Args:
        points: a row for each moment and emotion: time_s, emotion, probability, order, shown,
            confidence, valence, arousal, image (a data address of a thumbnail).
    """
    base = alt.Chart(points)
    areas = base.mark_area(interpolate="monotone").encode(
        x=alt.X("time_s:Q", title="seconds", axis=alt.Axis(grid=False)),
        y=alt.Y(
            "probability:Q",
            stack="zero",
            title=None,
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format="%"),
        ),
        color=emotion_color(),
        order="order:Q",
    )
    near = alt.selection_point(
        fields=["time_s"], nearest=True, on="pointermove", clear="pointerout", empty=False
    )
    moments = base.transform_pivot(
        "emotion",
        value="probability",
        groupby=["time_s", "shown", "confidence", "valence", "arousal", "image"],
    )
    scores = [alt.Tooltip(f"{e}:Q", format=".0%") for e in EMOTIONS]
    rule = moments.mark_rule(strokeWidth=2, color="#888").encode(
        x="time_s:Q",
        opacity=alt.condition(near, alt.value(1.0), alt.value(0.0)),
        tooltip=[
            alt.Tooltip("image:N"),
            alt.Tooltip("time_s:Q", title="second", format=".2f"),
            alt.Tooltip("shown:N"),
            *scores,
            alt.Tooltip("valence:Q", format="+.2f"),
            alt.Tooltip("arousal:Q", format="+.2f"),
        ],
    )
    return (areas + rule.add_params(near)).properties(height=HEIGHT + 40)


def by_day(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """Mood over days.

    Args:
        rows: day (a date), valence, arousal (-1 to 1), minutes.
    """
    frame = pd.DataFrame(rows)
    frame["day"] = pd.to_datetime(frame["day"])
    long = frame.melt(["day", "minutes"], ["valence", "arousal"], "measure", "value")
    return (
        alt.Chart(long, height=HEIGHT)
        .mark_line(point=alt.OverlayMarkDef(size=70))
        .encode(
            x=alt.X("yearmonthdate(day):T", title=None, axis=alt.Axis(format="%d %b", grid=False)),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(domain=[-1, 1])),
            color=alt.Color(
                "measure:N",
                scale=alt.Scale(
                    domain=["valence", "arousal"], range=[VALENCE_COLOR, AROUSAL_COLOR]
                ),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("yearmonthdate(day):T", title="day"),
                "measure:N",
                alt.Tooltip("value:Q", format="+.2f"),
                alt.Tooltip("minutes:Q", format=".1f", title="minutes of faces"),
            ],
        )
    )


def shares_by_day(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """Share of each emotion on each day, as stacked bars.

    Args:
        rows: day (a date), emotion, share.
    """
    frame = pd.DataFrame(rows)
    frame["day"] = pd.to_datetime(frame["day"])
    frame["order"] = [EMOTIONS.index(e) for e in frame["emotion"]]
    return (
        alt.Chart(frame, height=HEIGHT)
        .mark_bar()
        .encode(
            x=alt.X(
                "yearmonthdate(day):O", title=None, axis=alt.Axis(format="%d %b", labelAngle=0)
            ),
            y=alt.Y(
                "share:Q", title=None, axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])
            ),
            color=emotion_color(),
            order="order:Q",
            tooltip=[
                alt.Tooltip("yearmonthdate(day):T", title="day"),
                "emotion:N",
                alt.Tooltip("share:Q", format=".0%"),
            ],
        )
    )


def confusion(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> Chart:
    """What each label was taken for, as a heat map of shares of the row.

    Args:
        matrix: counts; a row is a true label, a column an answer, both in the order of `labels`.
        labels: the names.
    """
    rows = [
        {"label": true, "answer": said, "count": count, "share": count / max(sum(counts), 1)}
        for true, counts in zip(labels, matrix, strict=True)
        for said, count in zip(labels, counts, strict=True)
    ]
    base = alt.Chart(pd.DataFrame(rows), height=HEIGHT + 90).encode(
        x=alt.X(
            "answer:N",
            sort=list(labels),
            title="what the model says",
            axis=alt.Axis(orient="top", labelAngle=-40, labelOverlap=False),
        ),
        y=alt.Y("label:N", sort=list(labels), title="label"),
        tooltip=["label:N", "answer:N", "count:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    tiles = base.mark_rect().encode(
        color=alt.Color(
            "share:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]), title=None, legend=None
        )
    )
    names = base.mark_text(fontSize=11).encode(
        text=alt.Text("share:Q", format=".0%"),
        color=alt.condition("datum.share > 0.5", alt.value("white"), alt.value("#222")),
    )
    return tiles + names


def reliability(bins: Sequence[Mapping[str, float]]) -> Chart:
    """Confidence against the share of right answers.

    Args:
        bins: count, confidence and accuracy (shares of 1) of the answers of like confidence.
    """
    frame = pd.DataFrame(bins)
    scale = alt.Scale(domain=[0, 1])
    ideal = (
        alt.Chart(pd.DataFrame({"confidence": [0, 1], "accuracy": [0, 1]}))
        .mark_line(strokeDash=[4, 4], color="#888")
        .encode(x="confidence:Q", y="accuracy:Q")
    )
    dots = (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(size=80), color="#0072B2")
        .encode(
            x=alt.X("confidence:Q", scale=scale, title="confidence", axis=alt.Axis(format="%")),
            y=alt.Y("accuracy:Q", scale=scale, title="right", axis=alt.Axis(format="%")),
            tooltip=[
                alt.Tooltip("confidence:Q", format=".1%"),
                alt.Tooltip("accuracy:Q", format=".1%", title="right"),
                alt.Tooltip("count:Q", title="answers"),
            ],
        )
    )
    return (ideal + dots).properties(height=HEIGHT + 90)


def transitions(counts: Mapping[Emotion, Mapping[Emotion, int]]) -> Chart:
    """What followed what, as a heat map; an emotion that went on is left out.

    Args:
        counts: counts[before][after] of changes.
    """
    rows = []
    for before in EMOTIONS:
        changes = {a: n for a, n in counts[before].items() if a != before}
        total = sum(changes.values())
        rows += [
            {"before": before, "after": after, "count": n, "share": n / total if total else 0.0}
            for after, n in changes.items()
        ]
    base = alt.Chart(pd.DataFrame(rows), height=HEIGHT + 60).encode(
        x=alt.X(
            "after:N",
            sort=list(EMOTIONS),
            title="next",
            axis=alt.Axis(labelAngle=-40, labelOverlap=False),
        ),
        y=alt.Y("before:N", sort=list(EMOTIONS), title="first"),
    )
    cells = base.mark_rect().encode(
        color=alt.Color("share:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]), legend=None),
        tooltip=[
            alt.Tooltip("before:N", title="first"),
            alt.Tooltip("after:N", title="next"),
            "count:Q",
            alt.Tooltip("share:Q", format=".0%", title="of the changes from there"),
        ],
    )
    numbers = (
        base.transform_filter("datum.count > 0")
        .mark_text()
        .encode(
            text="count:Q",
            color=alt.condition("datum.share > 0.55", alt.value("white"), alt.value("#222")),
        )
    )
    return cells + numbers


def compare(first: SavedSession, second: SavedSession, names: tuple[str, str]) -> Chart:
    """Two sessions' shares side by side."""
    rows = [
        {"emotion": e, "session": name, "share": saved.shares[e]}
        for name, saved in zip(names, (first, second), strict=True)
        for e in EMOTIONS
    ]
    return (
        alt.Chart(pd.DataFrame(rows), height=HEIGHT)
        .mark_bar()
        .encode(
            x=alt.X(
                "emotion:N",
                sort=list(EMOTIONS),
                title=None,
                axis=alt.Axis(labelAngle=-40, labelOverlap=False),
            ),
            xOffset=alt.XOffset("session:N", sort=list(names)),
            y=alt.Y("share:Q", title=None, axis=alt.Axis(format="%")),
            color=alt.Color(
                "session:N",
                sort=list(names),
                scale=alt.Scale(range=list(PAIR)),
                legend=None,
            ),
            tooltip=["session:N", "emotion:N", alt.Tooltip("share:Q", format=".0%")],
        )
    )
