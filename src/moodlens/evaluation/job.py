"""An evaluation as the command line does it: choose rows, judge, add what the data allow."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from moodlens.datasets import FaceDataset, PictureFolder, list_folder, load_dataset
from moodlens.datasets.twins import without_twins
from moodlens.detection import create_detector
from moodlens.evaluation.evaluate import (
    Evaluation,
    as_frames,
    evaluate,
    evaluate_detected,
    framing,
    rounded,
)
from moodlens.evaluation.metrics import cross_entropy, expected_calibration_error
from moodlens.recognition.classifier import Classifier

Data = TypeVar("Data", FaceDataset, PictureFolder)
_DEFAULT_SPLITS = ("PublicTest", "test", "validation", "PrivateTest", "all", "Training")
_REPORTED_WITHOUT_TWINS = ("PublicTest", "PrivateTest", "test", "validation")


@dataclass(frozen=True)
class Job:
    """What to evaluate.

    Attributes:
        data: table or folder.
        split: of the data; None: PublicTest, or the first that there is.
        faces: "cropped": the pictures are face crops; "detect": find the largest face first.
        detector: for "detect".
        min_face_px: for "detect".
        with_framing: measure other framings too; for "cropped".
    """

    data: Path
    split: str | None = None
    faces: str = "cropped"
    detector: str = "auto"
    min_face_px: float = 24.0
    with_framing: bool = False


@dataclass(frozen=True)
class Judged:
    """The outcome, with the crops for a report where they are known."""

    result: Evaluation
    images: NDArray[np.uint8] | None
    split: str


def run_job(
    job: Job,
    classifier: Classifier,
    *,
    threads: int = 0,
    progress: Callable[[str, int], Callable[[int], None]] | None = None,
) -> Judged:
    """Evaluate.

    Args:
        job: what.
        classifier: the model.
        threads: of one call of the detector's network.
        progress: opens a bar of a name and a length, and gives what moves it.

    Raises:
        DatasetError: a fault in the data, or no such split.
    """
    bar = progress or _no_bar
    if job.faces == "detect":
        return _detect(job, classifier, threads, bar)
    dataset = load_dataset(job.data)
    split, chosen = _choose(dataset, job.split)
    with ThreadPoolExecutor(1) as beside:  # the search has one thread, so it fills what is idle
        twins = beside.submit(_unseen, dataset, chosen, split)
        result = evaluate(classifier, chosen, progress=bar("judging", len(chosen)))
        extra = _twin_figures(result, twins.result())
    if job.with_framing:
        extra["framing"] = framing(classifier, chosen, progress=bar("framing", 9 * len(chosen)))
    return Judged(replace(result, extra=extra), chosen.images, split)


def _no_bar(_name: str, _length: int) -> Callable[[int], None]:
    return lambda _: None


def _detect(job: Job, classifier: Classifier, threads: int, bar: Any) -> Judged:
    detector = create_detector(job.detector, threads=threads)
    if job.data.is_dir():
        split, folder = _choose(list_folder(job.data), job.split)
        length, frames, images = len(folder), folder.frames(), None
    else:
        split, dataset = _choose(load_dataset(job.data), job.split)
        length, frames, images = len(dataset), as_frames(dataset), dataset.images
    result = evaluate_detected(
        classifier,
        detector,
        frames,
        min_face_px=job.min_face_px,
        progress=bar("looking for faces", length),
    )
    return Judged(replace(result, extra={"detector": detector.name}), images, split)


def _choose(data: Data, split: str | None) -> tuple[str, Data]:
    """The rows of a split; its name may be written in lower case."""
    there = sorted(set(data.splits.tolist()))
    if split is None:
        split = next((name for name in _DEFAULT_SPLITS if name in there), there[0])
    same = {name.lower(): name for name in there} | {"train": "Training"}
    split = same.get(split.lower(), split)
    return split, data.split(split)


def _unseen(dataset: FaceDataset, chosen: FaceDataset, split: str) -> NDArray[np.bool_] | None:
    """Which rows have no twin in Training; None where the data don't tell."""
    if split not in _REPORTED_WITHOUT_TWINS or "Training" not in dataset.splits:
        return None
    return without_twins(chosen.images, dataset.split("Training").images)


def _twin_figures(result: Evaluation, unseen: NDArray[np.bool_] | None) -> dict[str, Any]:
    """The figures without the rows that the network may have been trained on."""
    if unseen is None:
        return {}
    answers, truths = result.probabilities[unseen], result.labels[unseen]
    return {
        "n_without_twins": int(unseen.sum()),
        "accuracy_without_twins": rounded(result.accuracy(unseen)),
        "loss_without_twins": rounded(cross_entropy(answers, truths)),
        "ece_without_twins": rounded(expected_calibration_error(answers, truths)),
    }
