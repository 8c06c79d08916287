"""From finished runs to the files in the package: weights, card, measured figures.

python -m moodlens.training.packaging RUN [RUN ...] --name moodlens-default --data fer2013.csv.xz

Several runs become one network, the mean of their logits.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from moodlens import __version__
from moodlens.artifacts.stamp import stamp
from moodlens.datasets import FaceDataset, load_dataset
from moodlens.datasets.twins import without_twins
from moodlens.errors import ModelError, MoodlensError
from moodlens.evaluation.bias import check_bias, fit_bias
from moodlens.evaluation.calibrate import Calibration, calibrate
from moodlens.evaluation.evaluate import evaluate, framing, raw_logits
from moodlens.evaluation.metrics import reliability
from moodlens.recognition.classifier import Classifier
from moodlens.recognition.metadata import ModelInfo
from moodlens.training.backend import use_backend
from moodlens.training.int8 import MOST_LOST, quantise
from moodlens.training.recipe import Recipe
from moodlens.training.storage import (
    BEST,
    CHECKPOINT,
    LOG,
    RECORD,
    load_weights,
    read_arrays,
    read_log,
    write_text,
)
from moodlens.training.targets import usable_rows

LARGEST_FILE = 12 * 1024 * 1024
PACKAGED = Path(__file__).parents[1] / "artifacts" / "packaged"
LICENCE = "Apache-2.0; trained on FER2013, whose pictures have no authoritative licence"


def package_model(
    runs: Sequence[Path],
    name: str,
    dataset: FaceDataset,
    *,
    packaged: Path = PACKAGED,
    figures: Path | None = None,
    int8: bool = False,
    notes: Sequence[str] = (),
    description: str = "",
) -> dict[str, Any]:
    """Write `NAME.keras` and `NAME.onnx`, calibrated and with a full card, and measure them.

    Args:
        runs: folders of training runs; several become an ensemble.
        name: of the model.
        dataset: all of FER2013 with FER+ votes, where the run had them.
        packaged: where the two files go.
        figures: where `NAME.json` goes, from which the model card is rendered; None: nowhere.
        int8: quantise the ONNX file, with ranges from Training.
        notes: for the card.
        description: one line for the card.

    Returns:
        The measured figures, as written to `NAME.json`.

    Raises:
        MoodlensError: a run has no weights yet, a file would be larger than 12 MB, or int8 loses
            more than 0.3 points of accuracy.
    """
    from moodlens.training.ensemble import average_networks
    from moodlens.training.half import save_half
    from moodlens.training.onnx_export import parity, rewrite_card, write_onnx

    networks = [network_of(run) for run in runs]
    network = networks[0] if len(networks) == 1 else average_networks(networks, name)
    record = joined_record([read_record(run, dataset) for run in runs])
    record["notes"] = [*record.get("notes", []), *notes]
    packaged.mkdir(parents=True, exist_ok=True)
    onnx_path, keras_path = packaged / f"{name}.onnx", packaged / f"{name}.keras"
    draft = packaged / f"{name}.draft.onnx"
    info = ModelInfo(
        name=name,
        version=__version__,
        description=description or "Apparent emotion of a face, trained from scratch on FER2013",
        licence=LICENCE,
        source="moodlens train",
        training=record,
    )
    try:
        write_onnx(network, draft, info)
        bias = add_bias(network, draft, dataset.split("PublicTest"))
        if bias["added"]:
            write_onnx(network, draft, info)
        gap = parity(network, draft)
        quantised = _to_int8(draft, dataset) if int8 else None
        measured, fitted = measure(draft, dataset)
        info = finished_card(info, measured, fitted)
        rewrite_card(draft, info)
        draft.replace(onnx_path)
    finally:
        draft.unlink(missing_ok=True)
    if len(networks) == 1:
        network.save(keras_path)
    else:
        save_half(network, keras_path)
    for path in (onnx_path, keras_path):
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"{path}: {path.stat().st_size / 2**20:.1f} MB, at most 12 MB")
    measured |= {
        "name": name,
        "version": __version__,
        "description": info.description,
        "licence": LICENCE,
        "parameters": int(network.count_params()),
        "onnx_bytes": onnx_path.stat().st_size,
        "keras_bytes": keras_path.stat().st_size,
        "parity_keras_onnx": float(f"{gap:.1e}"),
        "int8": quantised,
        "ms_a_face_batch_1": round(milliseconds_a_face(onnx_path, 1), 3),
        "ms_a_face_batch_64": round(milliseconds_a_face(onnx_path, 64), 3),
        "bias": bias,
        "training": record,
        "logs": [[vars(line) for line in read_log(run / LOG)] for run in runs],
    }
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        write_text(figures / f"{name}.json", json.dumps(measured, indent=1) + "\n")
    return measured


def network_of(run: Path) -> Any:
    """The best epoch of a run as a Keras model with the emotion head alone.

    Raises:
        MoodlensError: the folder holds no run, or one without weights yet.
    """
    from moodlens.training.network import plain_network

    if not (run / BEST).exists():
        raise MoodlensError(f"{run}: no {BEST} in this folder; not a training run, or not one yet")
    recipe = recipe_of(run)
    return plain_network(recipe.network, load_weights(run / BEST), votes=has_votes(run, recipe))


def joined_record(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What reproduces an ensemble: the common facts, and each member's record."""
    if len(records) == 1:
        return dict(records[0])
    common = ("backend", "git_revision", "packages", "data", "trained_on", "chosen_on")
    return {
        **{name: records[0][name] for name in common if name in records[0]},
        "seed": [record.get("seed") for record in records],
        "recipe": {"ensemble": [record["recipe"] for record in records]},
        "members": list(records),
    }


def _to_int8(draft: Path, dataset: FaceDataset) -> dict[str, Any]:
    """Quantise a file in its place; what it cost."""
    found = quantise(draft, draft, dataset.split("Training"), dataset.split("PublicTest"))
    if not found.kept:
        raise ModelError(
            f"int8 loses {100 * (found.before - found.after):.1f} points of accuracy, "
            f"at most {100 * MOST_LOST:.1f}; package it without --int8"
        )
    return {
        "accuracy_float": round(found.before, 5),
        "accuracy_int8": round(found.after, 5),
        "same_label": round(found.same_label, 5),
    }


def add_bias(network: Any, onnx_path: Path, validation: FaceDataset) -> dict[str, Any]:
    """Fit constants for the last layer on PublicTest and add them, if held-out rows gain by it.

    Returns:
        The check, what was added, and whether.
    """
    from moodlens.training.network import LOGITS_LAYER

    logits = raw_logits(Classifier(onnx_path, threads=0), validation.images)
    report = check_bias(logits, validation.labels)
    gains = report["accuracy_after"] >= report["accuracy_before"]
    better = gains and report["loss_after"] < report["loss_before"]
    constants = fit_bias(logits, validation.labels)
    if better:
        kernel, bias = network.get_layer(LOGITS_LAYER).get_weights()
        network.get_layer(LOGITS_LAYER).set_weights([kernel, (bias + constants).astype("float32")])
    return {**report, "constants": [round(float(c), 4) for c in constants], "added": better}


def finished_card(info: ModelInfo, measured: dict[str, Any], fitted: Calibration) -> ModelInfo:
    """The card with what was measured and fitted."""
    return info.model_copy(
        update={
            "temperature": round(fitted.temperature, 6),
            "conformal_threshold": round(fitted.threshold, 6),
            "metrics": card_metrics(measured),
        }
    )


def measure(path: Path, dataset: FaceDataset) -> tuple[dict[str, Any], Calibration]:
    """Everything that is measured on PublicTest, with the calibration fitted there."""
    validation, training = dataset.split("PublicTest"), dataset.split("Training")
    unseen = without_twins(validation.images, training.images)
    classifier = Classifier(path, threads=0)
    fitted = calibrate(raw_logits(classifier, validation.images), validation.labels)
    result = evaluate(classifier, validation)
    calibrated = replace(
        result, probabilities=_tempered(result.probabilities, classifier, fitted.temperature)
    )
    return {
        "split": "PublicTest",
        **calibrated.to_dict(),
        "reliability": _reliability(calibrated.probabilities, validation.labels),
        "n_without_twins": int(unseen.sum()),
        "accuracy_without_twins": round(calibrated.accuracy(unseen), 5),
        "accuracy_of_twins": round(calibrated.accuracy(~unseen), 5),
        "calibration": fitted.report,
        "framing": framing(classifier, validation),
    }, fitted


def _tempered(probabilities: Any, classifier: Classifier, temperature: float) -> Any:
    from moodlens.recognition.calibration import temper

    return temper(probabilities, temperature / classifier.info.temperature)


def _reliability(probabilities: Any, labels: Any) -> list[dict[str, float]]:
    """The bins that hold a face: count, mean confidence, accuracy."""
    return [
        {name: round(value, 4) for name, value in row.items()}
        for row in reliability(probabilities, labels)
        if row["count"]
    ]


def card_metrics(measured: dict[str, Any]) -> dict[str, Any]:
    """The figures that travel inside the model file."""
    kept = ("split", "n", "accuracy", "loss", "n_without_twins", "accuracy_without_twins")
    calibration = measured["calibration"]
    return {
        **{name: measured[name] for name in kept},
        "ece_cross_validated": calibration["ece_cross_validated"],
        "per_class_f1": {label: row["f1"] for label, row in measured["per_class"].items()},
        "confusion": measured["confusion"],
        "reliability": measured["reliability"],
        "conformal": calibration["conformal"],
        "framing": measured["framing"],
    }


def milliseconds_a_face(path: Path, batch: int, *, seconds: float = 2.0) -> float:
    """Median time of the network on one thread, for one face of a batch, in milliseconds."""
    classifier = Classifier(path, threads=1)
    side = classifier.input_side
    crops = np.random.default_rng(0).integers(0, 256, (batch, side, side), dtype=np.uint8)
    classifier.classify(crops)
    spent: list[float] = []
    while sum(spent) < seconds or len(spent) < 5:
        started = time.perf_counter()
        classifier.classify(crops)
        spent.append(time.perf_counter() - started)
    return float(np.median(spent)) * 1000 / batch


def recipe_of(run: Path) -> Recipe:
    """The recipe that a run's checkpoint was made with."""
    state = read_arrays(run / CHECKPOINT)
    try:
        return Recipe.model_validate_json(str(state["recipe"]))
    except (KeyError, ValueError) as error:
        raise MoodlensError(f"{run / CHECKPOINT}: holds no recipe that this code knows") from error


def has_votes(run: Path, recipe: Recipe) -> bool:
    """Whether the run had the vote head: it adds a kernel and a bias to the plain network's."""
    from moodlens.training.network import build_network

    return len(load_weights(run / BEST)) > len(build_network(recipe.network).get_weights())


def stored_record(run: Path) -> dict[str, Any] | None:
    """The `run.json` of a run; None where it has none.

    Raises:
        MoodlensError: it is damaged.
    """
    path = run / RECORD
    if not path.exists():
        return None
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise MoodlensError(f"{path}: not the record of a run: {error}") from error


def read_record(run: Path, dataset: FaceDataset) -> dict[str, Any]:
    """The run's own record with its log; for a run without one, what can be said now."""
    found = stored_record(run)
    if found is None:
        import keras

        from moodlens.training.provenance import describe_run

        left_out = usable_rows(dataset.split("Training"))[1]
        backend = keras.backend.backend()
        found = describe_run(recipe_of(run), dataset, backend=backend, left_out=left_out)
        found["notes"] = ["the run kept no record; code and packages are those of packaging"]
    log = read_log(run / LOG)
    best = max(log, key=lambda r: (r.val_accuracy_no_twins, r.epoch), default=None)
    return found | {
        "epochs_run": len(log),
        "best_epoch": best.epoch if best else None,
    }


def main() -> None:
    """See the module's docstring."""
    ask = argparse.ArgumentParser(description="Package the best weights of a training run.")
    ask.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    ask.add_argument("--name", required=True)
    ask.add_argument("--data", type=Path, required=True)
    ask.add_argument("--ferplus", type=Path)
    ask.add_argument("--packaged", type=Path, default=PACKAGED)
    ask.add_argument("--docs", type=Path, default=Path("docs"))
    ask.add_argument("--int8", action="store_true", help="quantise the ONNX file")
    ask.add_argument("--description", default="")
    ask.add_argument("--note", action="append", default=[], help="for the card; may be repeated")
    given = ask.parse_args()
    use_backend("tensorflow")
    from moodlens.training.model_card import write_model_card

    figures = given.docs / "model-card"
    measured = package_model(
        given.runs,
        given.name,
        load_dataset(given.data, ferplus=given.ferplus),
        packaged=given.packaged,
        figures=figures,
        int8=given.int8,
        notes=given.note,
        description=given.description,
    )
    write_model_card(figures, given.docs / "model-card.md")
    if given.packaged == PACKAGED:
        stamp()
    print(json.dumps(card_metrics(measured), indent=1))


if __name__ == "__main__":
    main()
