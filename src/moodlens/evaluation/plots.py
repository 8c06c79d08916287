"""Figures as PNG: curves, confusion matrix, reliability diagram. Matplotlib is loaded here only."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.emotions import EMOTIONS
from moodlens.errors import MissingExtraError

INK, BLUE, ORANGE, GRAY = "#222222", "#0072B2", "#D55E00", "#BBBBBB"


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("plots", "train") from error
    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def _png(figure: Any) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def curves_png(log: Sequence[dict[str, float]]) -> bytes:
    """Loss and accuracy over epochs, from the lines of a run's log."""
    figure = _figure(9, 3.4)
    epochs = [line["epoch"] for line in log]
    loss, scores = figure.subplots(1, 2)
    loss.plot(epochs, [line["loss"] for line in log], color=BLUE)
    loss.set(xlabel="epoch", ylabel="training loss")
    for name, label, color in (
        ("accuracy", "training, changed pictures", GRAY),
        ("val_accuracy", "validation", BLUE),
        ("val_accuracy_no_twins", "validation without twins", ORANGE),
    ):
        scores.plot(epochs, [100 * line[name] for line in log], label=label, color=color)
    scores.set(xlabel="epoch", ylabel="accuracy, %")
    scores.legend(frameon=False, fontsize=8)
    for axes in (loss, scores):
        axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def confusion_png(matrix: NDArray[np.int64]) -> bytes:
    """Shares of each true label's row in percent, counts by colour."""
    figure = _figure(5.6, 4.8)
    axes = figure.subplots()
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i in range(len(EMOTIONS)):
        for j in range(len(EMOTIONS)):
            ink = "white" if share[i, j] > 0.55 else INK
            axes.text(j, i, f"{100 * share[i, j]:.0f}", ha="center", va="center", color=ink)
    axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=40, ha="right")
    axes.set_yticks(range(len(EMOTIONS)), EMOTIONS)
    axes.set(xlabel="said", ylabel="labelled")
    return _png(figure)


def reliability_png(bins: Sequence[dict[str, float]]) -> bytes:
    """Accuracy over confidence in bins, with how many faces each bin holds."""
    figure = _figure(5.2, 4.8)
    axes, counts = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    width = 1 / len(bins)
    places = [(i + 0.5) * width for i in range(len(bins))]
    axes.bar(places, [b["accuracy"] for b in bins], width * 0.92, color=BLUE)
    axes.plot([0, 1], [0, 1], color=ORANGE, linestyle="--", linewidth=1)
    axes.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    counts.bar(places, [b["count"] for b in bins], width * 0.92, color=GRAY)
    counts.set(xlabel="confidence", ylabel="faces")
    for part in (axes, counts):
        part.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def importance_png(shares: dict[str, float], trials: int) -> bytes:
    """How much each value of a recipe mattered in a search: bars of shares, the largest on top."""
    figure = _figure(7, 1.2 + 0.28 * len(shares))
    axes = figure.subplots()
    names = list(reversed(shares))
    axes.barh(names, [100 * shares[name] for name in names], color=BLUE)
    axes.set(xlabel=f"share of importance, %, over {trials} finished trials")
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)
