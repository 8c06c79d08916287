"""The HTML report: one file with every plot inside."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.emotions import EMOTIONS
from moodlens.evaluation import metrics, plots
from moodlens.evaluation.evaluate import Evaluation

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse}
td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}img{max-width:100%}
.mistakes{display:flex;flex-wrap:wrap;gap:.7rem}figure{margin:0;width:7.5rem}
.mistakes img{width:96px;height:96px;image-rendering:pixelated}figcaption{font-size:.75rem}
@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}td,th{border-color:#444}
img{background:#fff}}
"""


@dataclass(frozen=True)
class ReportInput:
    """What a report shows.

    Attributes:
        title: of the page.
        result: the answers.
        images: (n, 48, 48) uint8 crops for the mistakes' thumbnails; None without.
        mistakes: how many of the worst mistakes to show; 0 shows no picture at all.
        log: lines of the training log, where there is one.
        facts: name and value of whatever else belongs at the top.
    """

    title: str
    result: Evaluation
    images: NDArray[np.uint8] | None = None
    mistakes: int = 0
    log: list[dict[str, float]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)


def html_report(shown: ReportInput) -> str:
    """A page that needs no other file and no network."""
    figures = shown.result.to_dict()
    judged = shown.result.judged
    answers, truths = shown.result.probabilities[judged], shown.result.labels[judged]
    parts = [
        f"<h1>{html.escape(shown.title)}</h1>",
        _table(["", ""], [[k, v] for k, v in (shown.facts | _summary(figures)).items()]),
        "<h2>Each emotion</h2>",
        _table(
            ["", "precision", "recall", "F1", "pictures"],
            [
                [e, f"{r['precision']:.3f}", f"{r['recall']:.3f}", f"{r['f1']:.3f}", r["support"]]
                for e, r in figures["per_class"].items()
            ],
        ),
        "<h2>Confusion matrix</h2><p>Percent of each label's judged pictures.</p>",
        _picture(plots.confusion_png(np.array(figures["confusion"])), "confusion matrix"),
        "<h2>Reliability</h2><p>How often the answer is right, by how sure the model is. On the "
        "dashed line confidence means what it says.</p>",
        _picture(plots.reliability_png(metrics.reliability(answers, truths)), "reliability"),
    ]
    if "framing" in figures:
        rows = [[k, f"{100 * v:.2f} %"] for k, v in figures["framing"].items()]
        parts += ["<h2>Framing</h2>", _table(["crop", "accuracy"], rows)]
    if shown.log:
        parts += ["<h2>Training</h2>", _picture(plots.curves_png(shown.log), "training curves")]
    if shown.mistakes and shown.images is not None:
        parts += ["<h2>Worst mistakes</h2>", _mistakes(shown, shown.images)]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(shown.title)}</title><style>{_STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _summary(figures: dict[str, Any]) -> dict[str, str]:
    def percent(value: float | None) -> str:
        return "none" if value is None else f"{100 * value:.2f} %"

    found = {
        "pictures": str(figures["n"]),
        "no face found": str(figures["missed"]),
        "accuracy": percent(figures["accuracy"]),
        "calibration error (15 bins)": percent(figures["ece"]),
        "cross-entropy": "none" if figures["loss"] is None else f"{figures['loss']:.4f}",
    }
    if "accuracy_without_twins" in figures:
        found["accuracy without twins"] = (
            f"{percent(figures['accuracy_without_twins'])} of {figures['n_without_twins']}"
        )
    return found


def _table(head: list[str], rows: list[list[Any]]) -> str:
    def row(cells: list[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return f"<table>{row(head, 'th') if any(head) else ''}{body}</table>"


def _picture(png: bytes, name: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{html.escape(name)}" src="data:image/png;base64,{data}">'


def worst_mistakes(result: Evaluation, count: int) -> NDArray[np.int64]:
    """Rows that were judged wrong, the surest first."""
    wrong = np.flatnonzero(result.judged & ~result.right)
    sure = result.probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-sure, kind="stable")][:count]


def _mistakes(shown: ReportInput, images: NDArray[np.uint8]) -> str:
    cells = []
    for i in worst_mistakes(shown.result, shown.mistakes):
        said = shown.result.probabilities[i]
        png = cv2.imencode(".png", images[i])[1].tobytes()
        cells.append(
            f"<figure>{_picture(png, f'picture {i}')}<figcaption>said "
            f"{EMOTIONS[int(said.argmax())]} {said.max():.0%}<br>labelled "
            f"{EMOTIONS[int(shown.result.labels[i])]}</figcaption></figure>"
        )
    return f'<div class="mistakes">{"".join(cells)}</div>'
