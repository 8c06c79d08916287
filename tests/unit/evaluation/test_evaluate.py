"""A model judged on pictures, cropped and found."""

from __future__ import annotations

import json
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from moodlens.artifacts import resolve_model
from moodlens.datasets import FaceDataset
from moodlens.detection.base import Detections
from moodlens.emotions import EMOTIONS
from moodlens.evaluation import Evaluation, evaluate, evaluate_detected, framing
from moodlens.evaluation.evaluate import predict, raw_logits
from moodlens.evaluation.report import ReportInput, html_report, worst_mistakes
from moodlens.recognition.calibration import softmax
from moodlens.recognition.classifier import Classifier

CONTRACT = ["n", "missed", "accuracy", "loss", "ece", "labels", "per_class", "confusion"]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(resolve_model(None))


@pytest.fixture(scope="module")
def dataset() -> FaceDataset:
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (150, 12, 12), dtype=np.uint8)
    images = np.stack([cv2.resize(c, (48, 48), interpolation=cv2.INTER_CUBIC) for c in coarse])
    labels = rng.integers(0, 7, 150)
    rows = np.arange(150)
    return FaceDataset(images, labels, np.array(["PublicTest"] * 150), rows, "made up")


class HalfBlind:
    """Finds two faces, the second the larger, in pictures that are bright in a corner."""

    name = "half-blind"

    def detect(self, frame: np.ndarray, *, min_face_px: float = 24.0) -> Detections:
        if frame[0, 0, 0] < 128:
            return Detections.empty()
        boxes = np.array([[0, 0, 10, 10], [8, 8, 56, 56]], np.float32)
        return Detections(boxes, np.array([0.9, 0.8], np.float32))

    def crop_squares(self, detections: Detections) -> np.ndarray:
        low, high = detections.boxes_xyxy[:, :2], detections.boxes_xyxy[:, 2:]
        return np.concatenate([(low + high) / 2, high[:, :1] - low[:, :1]], axis=1)


def test_the_json_contract(classifier: Classifier, dataset: FaceDataset) -> None:
    found = evaluate(classifier, dataset).to_dict()
    assert list(found)[: len(CONTRACT)] == CONTRACT
    assert found["n"] == 150
    assert found["missed"] == 0
    assert found["labels"] == list(EMOTIONS)
    assert list(found["per_class"]) == list(EMOTIONS)
    assert set(found["per_class"]["fear"]) == {"precision", "recall", "f1", "support"}
    assert np.array(found["confusion"]).shape == (7, 7)
    assert np.array(found["confusion"]).sum() == 150
    right = np.trace(np.array(found["confusion"]))
    assert found["accuracy"] == pytest.approx(right / 150, abs=1e-5)
    json.dumps(found, allow_nan=False)


def test_batches_do_not_change_answers(classifier: Classifier, dataset: FaceDataset) -> None:
    alone = np.concatenate([classifier.classify(dataset.images[i : i + 1]) for i in range(70)])
    assert np.allclose(predict(classifier, dataset.images[:70]), alone, atol=1e-5)


def frames(dataset: FaceDataset, blind: list[int]) -> Iterator[tuple[np.ndarray, int]]:
    for i in range(20):
        frame = np.full((64, 64, 3), 200, np.uint8)
        frame[8:56, 8:56] = dataset.images[i][:, :, None]
        if i in blind:
            frame[0, 0] = 0
        yield frame, int(dataset.labels[i])


def test_a_missed_face_is_wrong_and_the_largest_is_judged(
    classifier: Classifier, dataset: FaceDataset
) -> None:
    blind = [2, 3, 11]
    result = evaluate_detected(classifier, HalfBlind(), frames(dataset, blind))
    assert result.judged.tolist() == [i not in blind for i in range(20)]
    cropped = predict(classifier, dataset.images[:20])
    assert np.allclose(result.probabilities[result.judged], cropped[result.judged], atol=1e-5)
    found = result.to_dict()
    assert found["n"] == 20
    assert found["missed"] == 3
    assert not result.right[blind].any()
    assert np.array(found["confusion"]).sum() == 17
    assert sum(row["support"] for row in found["per_class"].values()) == 20


def test_when_every_face_is_missed(classifier: Classifier, dataset: FaceDataset) -> None:
    result = evaluate_detected(classifier, HalfBlind(), frames(dataset, list(range(20))))
    found = result.to_dict()
    assert (found["accuracy"], found["loss"], found["ece"]) == (0.0, None, None)
    json.dumps(found, allow_nan=False)


def test_framing(classifier: Classifier, dataset: FaceDataset) -> None:
    found = framing(classifier, dataset)
    assert found["as_is"] == pytest.approx(evaluate(classifier, dataset).accuracy(), abs=1e-5)
    assert {"scale_0.8", "scale_1.25", "shift_left", "shift_down"} <= set(found)
    others = [v for k, v in found.items() if k != "worst_loss"]
    assert found["worst_loss"] == pytest.approx(found["as_is"] - min(others), abs=1e-5)


def test_raw_logits_undo_the_models_own_temperature(
    classifier: Classifier, dataset: FaceDataset
) -> None:
    logits = raw_logits(classifier, dataset.images[:20])
    again = softmax(logits, classifier.info.temperature)
    assert np.allclose(again, classifier.classify(dataset.images[:20]), atol=1e-4)


def judged() -> Evaluation:
    answers = np.full((4, 7), 0.05, np.float32)
    for row, (label, p) in zip(answers, [(0, 0.7), (1, 0.7), (2, 0.7), (3, 0.7)], strict=True):
        row[label] = p
    answers[2] = [0.02, 0.02, 0.88, 0.02, 0.02, 0.02, 0.02]
    return Evaluation(np.array([0, 0, 0, 0]), np.array([True, True, True, False]), answers)


def test_the_surest_mistakes_come_first_and_missed_ones_not_at_all() -> None:
    assert worst_mistakes(judged(), 10).tolist() == [2, 1]
    assert worst_mistakes(judged(), 1).tolist() == [2]


def test_the_report_is_one_file_and_shows_pictures_only_when_asked() -> None:
    images = np.zeros((4, 48, 48), np.uint8)
    log = [
        {
            "epoch": e,
            "loss": 2.0,
            "accuracy": 0.2,
            "val_accuracy": 0.3,
            "val_accuracy_no_twins": 0.3,
        }
        for e in (1, 2)
    ]
    plain = html_report(ReportInput("<b> & co", judged(), images))
    full = html_report(ReportInput("x", judged(), images, mistakes=5, log=log))
    assert plain.count("<img") == 2
    assert full.count("<img") == 5
    assert "&lt;b&gt; &amp; co" in plain
    assert "http" not in plain.replace("http-equiv", "")
    assert "Worst mistakes" in full
    assert "Worst mistakes" not in plain
