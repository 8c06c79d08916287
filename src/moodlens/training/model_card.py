# ruff: noqa: E501  (lines of Markdown)
"""The model card, rendered from measured JSON: no figure in it is typed by hand.

python -m moodlens.training.model_card docs/model-card docs/model-card.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from moodlens.emotions import EMOTIONS
from moodlens.errors import MoodlensError
from moodlens.training.storage import write_text

_HEAD = """# Model card

Rendered by `python -m moodlens.training.model_card` from the measured files in
[model-card/](model-card/); do not edit it.

The models name the **apparent** emotion of a face: what a person who labels pictures would call the
expression. They do not know what anybody feels.
"""

_TAIL = """## Data

| | |
|---|---|
| trained on | FER2013, split Training (Goodfellow et al. 2013, arXiv:1307.0414), 48x48 gray crops; FER+ votes (Barsoum et al. 2016, arXiv:1608.01041, MIT) as a soft target and a second head |
| chosen on | FER2013, split PublicTest, the rows without a twin in Training |
| never used | FER2013, split PrivateTest: not to train, choose or calibrate |
| licence of the data | the pictures were collected by web search; no authoritative licence exists. They are used for research and are not redistributed. Whether weights trained on them may be used commercially is unsettled: ask a lawyer before you do |
| left out of training | flat pictures, and those that most FER+ taggers call no face. Nothing is left out of what is reported on |

Two people agree on about two thirds of FER2013's labels, and the labels name posed and acted expressions
found under search words. A fifth of PublicTest shows a photograph that is in Training too, often cropped
anew; `moodlens.datasets.twins` finds them, and every table gives the figure with and without them.

## How it fails

- *fear*, *sad*, *angry* and *neutral* are taken for one another most often; see the confusion matrix.
- *disgust* is rare in the data (1.5 %), so its figures rest on few pictures.
- Heads turned by more than about 45 degrees, hands or masks over the mouth, hard light from the side,
  faces under 24 pixels: the answer is marked uncertain or no face is found.
- The pictures are mostly of adults and small children in stock photographs and news from before 2013.
  Age, skin colour and culture are not balanced and were not labelled, so no figure for groups is given:
  measure on your own people before you rely on it.
- A drawing or a statue may get an emotion.

## Not to be used

- To judge, hire, fire, grade, diagnose, police or admit people, or to detect lies. An expression is no
  evidence of a feeling, and less of an intention.
- To infer emotions of persons at the workplace or in education where the law forbids it (in the European
  Union: Regulation 2024/1689, article 5).
- To identify or track persons. The models hold no identities.
- Without the knowledge of those who are seen.
"""


def write_model_card(figures: Path, target: Path) -> None:
    """Render every `*.json` of a folder, the default model first, into one Markdown file.

    Raises:
        MoodlensError: there is no such file, or one lacks a figure.
    """
    found = sorted(figures.glob("*.json"), key=lambda path: ("default" not in path.name, path.name))
    if not found:
        raise MoodlensError(f"{figures}: no measured figures (*.json)")
    parts = [_HEAD]
    for path in found:
        try:
            parts.append(_model(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError) as error:
            raise MoodlensError(f"{path}: not the figures of a model: {error!r}") from error
    write_text(target, "\n".join([*parts, _TAIL]))


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _model(m: dict[str, Any]) -> str:
    fitted, conformal = m["calibration"], m["calibration"]["conformal"]
    facts = [
        ["input", "48x48 gray face, (faces, 48, 48, 1), pixels in [0, 1]"],
        ["output", "7 logits in the order of " + ", ".join(EMOTIONS) + "; class activation map"],
        ["parameters", f"{m['parameters']:,}"],
        ["file", f"ONNX {m['onnx_bytes'] / 2**20:.2f} MB, Keras {m['keras_bytes'] / 2**20:.2f} MB"],
        [
            "speed",
            f"{m['ms_a_face_batch_1']:.2f} ms a face at batch 1, "
            f"{m['ms_a_face_batch_64']:.2f} ms at batch 64, one core, where it was packaged",
        ],
        ["Keras and ONNX agree within", f"{m['parity_keras_onnx']:.0e} (logits)"],
        *_int8(m.get("int8")),
        ["licence", m["licence"]],
    ]
    scores = [
        ["accuracy, all", m["n"], _percent(m["accuracy"])],
        ["accuracy, without twins", m["n_without_twins"], _percent(m["accuracy_without_twins"])],
        ["accuracy, twins alone", m["n"] - m["n_without_twins"], _percent(m["accuracy_of_twins"])],
        ["calibration error, cross-validated", m["n"], _percent(fitted["ece_cross_validated"])],
        ["cross-entropy, cross-validated", m["n"], f"{fitted['loss_cross_validated']:.3f}"],
    ]
    classes = [
        [label, *(f"{row[k]:.3f}" for k in ("precision", "recall", "f1")), row["support"]]
        for label, row in m["per_class"].items()
    ]
    confusion = [[label, *row] for label, row in zip(m["labels"], m["confusion"], strict=True)]
    framing = [
        [name.replace("_", " "), _percent(value), f"{100 * (value - m['framing']['as_is']):+.1f}"]
        for name, value in m["framing"].items()
        if name != "worst_loss"
    ]
    low, high = fitted["ece_if_perfect"]
    bias = m["bias"]
    added = ", ".join(f"{e} {c:+.2f}" for e, c in zip(EMOTIONS, bias["constants"], strict=True))
    moved = (
        f"Constants fitted on {m['split']} were added to the logits ({added}); on rows they were not "
        f"fitted on ({bias['folds']} folds) accuracy went from {_percent(bias['accuracy_before'])} to "
        f"{_percent(bias['accuracy_after'])} and cross-entropy from {bias['loss_before']:.3f} to "
        f"{bias['loss_after']:.3f}.\n"
        if bias["added"]
        else "No constants were added to the logits: held-out rows gained nothing by it.\n"
    )
    return "\n".join(
        [
            f"## {m['name']}\n",
            f"{m['description']}.\n",
            _table(["", ""], facts),
            f"Measured on {m['split']}, on which the epoch was chosen and the temperature fitted; single "
            "crop, no test-time augmentation.\n",
            _table(["", "pictures", ""], scores),
            moved,
            f"The temperature is {fitted['temperature']:.3f}, fitted on {m['split']}; the calibration error "
            f"({fitted['folds']} folds, 15 bins) is of rows it was not fitted on. On so many pictures a model "
            f"whose confidence is exactly right would show between {_percent(low)} and {_percent(high)}.\n",
            f"Prediction sets aim at {_percent(conformal['aimed_coverage'])}: fitted on one half and checked on "
            f"the other, {conformal['halvings']} times, they hold the label {_percent(conformal['coverage_mean'])} "
            f"of the time ({_percent(conformal['coverage_lowest'])} to {_percent(conformal['coverage_highest'])}), "
            f"with {conformal['mean_set_size']:.2f} labels on average; "
            f"{_percent(conformal['more_than_two_labels'])} of the faces have more than two and are called uncertain.\n",
            "### Each emotion\n",
            _table(["", "precision", "recall", "F1", "pictures"], classes),
            "### Confusion matrix\n\nRows are labels, columns answers.\n",
            _table(["", *m["labels"]], confusion),
            "### Framing\n\nAccuracy when each picture is cropped anew; a scale above 1 shows more than the "
            "picture holds, so its border is repeated.\n",
            _table(["crop", "accuracy", "points"], framing),
            _training(m["training"]),
        ]
    )


def _int8(found: dict[str, Any] | None) -> list[list[str]]:
    if not found:
        return []
    return [
        [
            "int8",
            f"the ONNX file's convolutions; in float {_percent(found['accuracy_float'])} of the same "
            f"pictures right, {_percent(found['same_label'])} of the answers the same. What Keras and "
            "ONNX agree within is of the float network",
        ]
    ]


def _training(record: dict[str, Any]) -> str:
    members = record.get("members")
    if not members:
        return "### Training\n\n" + _run(record)
    parts = [
        f"### Training\n\nThe mean of {len(members)} networks' logits, in one file. "
        "Each was trained by itself:\n"
    ]
    for number, member in enumerate(members, 1):
        parts.append(f"**Member {number}**\n\n" + _run(member))
    if record.get("notes"):
        parts.append(_table(["", ""], [["note", note] for note in record["notes"]]))
    return "\n".join(parts)


def _run(record: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in record["packages"].items())
    rows = [
        ["seed", record["seed"]],
        ["epochs", f"{record['epochs_run']}, the best was {record['best_epoch']}"],
        ["chosen on", record["chosen_on"]],
        ["Keras backend", record["backend"]],
        ["code", f"`{record['git_revision'][:12]}`"],
        [
            "data",
            f"{record['data']['name']}, SHA-256 of the content `{record['data']['sha256'][:16]}`",
        ],
        ["left out", ", ".join(f"{n} {why}" for why, n in record["data"]["left_out"].items())],
        ["packages", packages],
    ]
    if record.get("teachers"):
        rows.append(["teachers", ", ".join(t["name"] for t in record["teachers"])])
    if record.get("start_from"):
        rows.append(["started from", f"{record['start_from']['name']}"])
    rows += [["note", note] for note in record.get("notes", [])]
    return _table(["", ""], rows)


if __name__ == "__main__":
    write_model_card(Path(sys.argv[1]), Path(sys.argv[2]))
