"""`moodlens export`: a run, a `.keras` file or an ONNX file becomes the other kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodlens.artifacts.convert import converted
from moodlens.datasets import FaceDataset
from moodlens.errors import ModelError, MoodlensError
from moodlens.evaluation.calibrate import calibrate
from moodlens.evaluation.evaluate import evaluate, raw_logits
from moodlens.recognition.classifier import Classifier, open_session
from moodlens.recognition.metadata import ModelInfo

Say = Callable[[str], None]


def to_onnx(source: Path, target: Path, say: Say, *, others: Sequence[Path] = ()) -> None:
    """Write a run's best weights, or a `.keras` file, as ONNX with a card, and check parity.

    With other runs' folders the file holds an ensemble: the mean of all the runs' logits.

    A `.keras` file is opened by a child process in Keras' safe mode first; one with a Lambda
    layer, or of another shape than 48x48x1 in and 7 out, is refused.

    Raises:
        ModelError: the file is refused, or the two do not agree.
    """
    from moodlens.training.onnx_export import rewrite_card, write_onnx

    if source.is_dir():
        network, info = _network_of_runs([source, *others])
        write_onnx(network, target, info)
    else:
        made = converted(source)
        data = made.read_bytes()
        info = Classifier(made).info.model_copy(update={"name": source.stem})
        _write(target, data)
        rewrite_card(target, info)
        network = open_keras(source)
    say(f"Keras and ONNX agree within {_gap(network, target):.1e}")


def to_keras(source: Path, target: Path, say: Say, *, others: Sequence[Path] = ()) -> None:
    """Write a run's best weights, or an ONNX file of ours, as `.keras`, and check parity.

    An int8 file no longer holds the weights it was made from: the `.keras` file beside it, as the
    packaged models have one, is copied instead.

    Raises:
        ModelError: the ONNX file is not of this project's networks, or int8 and alone, or the
            two do not agree.
    """
    from moodlens.training.int8 import is_int8, read_onnx
    from moodlens.training.restore import keras_from_onnx

    if source.is_dir():
        _save_keras(_network_of_runs([source, *others])[0], target)
        return
    twin = source.with_suffix(".keras")
    if is_int8(read_onnx(source)) and twin.is_file():
        _write(target, twin.read_bytes())
        say(f"{source.name} is int8; this is {twin.name}, from which it was made")
        return
    network = keras_from_onnx(source)
    gap = _gap(network, source)
    if gap > 1e-3:
        raise ModelError(f"{source}: the restored network differs by {gap:.1e} in its answers")
    _save_keras(network, target)
    say(f"Keras and ONNX agree within {gap:.1e}")


def calibrate_file(path: Path, dataset: FaceDataset, say: Say) -> None:
    """Fit temperature and prediction sets on PublicTest and put them into the file's card.

    Raises:
        DatasetError: the data have no PublicTest, or too few pictures.
    """
    from moodlens.training.onnx_export import rewrite_card

    chosen = calibration_rows(dataset)
    classifier = Classifier(path, threads=0)
    fitted = calibrate(raw_logits(classifier, chosen.images), chosen.labels)
    info = classifier.info.model_copy(
        update={
            "temperature": round(fitted.temperature, 6),
            "conformal_threshold": round(fitted.threshold, 6),
        }
    )
    rewrite_card(path, info)
    figures = evaluate(Classifier(path, threads=0), chosen).to_dict()
    metrics: dict[str, Any] = {
        "split": str(chosen.splits[0]),
        **{name: figures[name] for name in ("n", "accuracy", "loss")},
        "ece_cross_validated": fitted.report["ece_cross_validated"],
        "conformal": fitted.report["conformal"],
    }
    rewrite_card(path, info.model_copy(update={"metrics": info.metrics | metrics}))
    coverage = fitted.report["conformal"]
    say(
        f"calibrated on {len(chosen)} pictures: temperature {fitted.temperature:.3f}, calibration "
        f"error {fitted.report['ece_cross_validated']:.2%} on held-out rows; sets hold the label "
        f"{coverage['coverage_mean']:.1%} of the time, {coverage['mean_set_size']:.2f} labels each"
    )


def calibration_rows(dataset: FaceDataset) -> FaceDataset:
    """PublicTest, or what stands for it; never Training, whose answers are too sure."""
    there = set(dataset.splits.tolist())
    for name in ("PublicTest", "validation", "test", "all"):
        if name in there:
            return dataset.split(name)
    return dataset.split("PublicTest")  # says which splits there are


def open_keras(path: Path) -> Any:
    """A `.keras` file in Keras' safe mode, which runs no code of the file's.

    Raises:
        ModelError: it can't be opened.
    """
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds on files it can't or won't open
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{path}: Keras can't open it safely: {reason}") from error


def _network_of_runs(runs: Sequence[Path]) -> tuple[Any, ModelInfo]:
    from moodlens import __version__
    from moodlens.training.ensemble import average_networks
    from moodlens.training.packaging import (
        LICENCE,
        joined_record,
        network_of,
        recipe_of,
        stored_record,
    )

    networks = [network_of(run) for run in runs]
    recipes = [recipe_of(run) for run in runs]
    records = [
        stored_record(run) or {"recipe": recipe.model_dump(mode="json")}
        for run, recipe in zip(runs, recipes, strict=True)
    ]
    name = recipes[0].network.name
    network = networks[0] if len(runs) == 1 else average_networks(networks, name)
    info = ModelInfo(
        name=name,
        version=__version__,
        licence=LICENCE,
        source="moodlens train",
        training=joined_record(records),
    )
    return network, info


def _gap(network: Any, path: Path) -> float:
    """Largest difference between the answers of a Keras network and an ONNX file."""
    x = np.random.default_rng(0).random((16, *network.input_shape[1:]), dtype=np.float32)
    session = open_session(path, 1)
    found = session.run(None, {session.get_inputs()[0].name: x})[0]
    return float(np.abs(found - np.asarray(network.predict(x, verbose=0))).max())


def _save_keras(network: Any, target: Path) -> None:
    partial = target.with_suffix(".partial.keras")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        network.save(partial)
        partial.replace(target)
    except OSError as error:
        raise MoodlensError(f"{target}: can't be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _write(target: Path, data: bytes) -> None:
    from moodlens.training.storage import write_atomically

    write_atomically(target, lambda file: file.write(data))
