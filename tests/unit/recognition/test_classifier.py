"""The network on ONNX Runtime: the packaged model, and files that are no model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moodlens.artifacts import resolve_model
from moodlens.errors import ModelError
from moodlens.recognition.classifier import Classifier


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(resolve_model(None))


def faces(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, 48, 48)).astype(np.uint8)


def test_rows_are_probabilities(classifier: Classifier) -> None:
    found = classifier.classify(faces(5))
    assert found.shape == (5, 7)
    assert np.allclose(found.sum(axis=1), 1.0, atol=1e-4)


def test_a_batch_says_what_single_faces_say(classifier: Classifier) -> None:
    x = faces(6)
    alone = np.concatenate([classifier.classify(x[i : i + 1]) for i in range(6)])
    assert np.allclose(classifier.classify(x), alone, atol=1e-5)


def test_no_faces_no_rows(classifier: Classifier) -> None:
    assert classifier.classify(faces(0)).shape == (0, 7)


def test_the_activation_map_lies_in_zero_to_one(classifier: Classifier) -> None:
    assert classifier.explains
    maps = classifier.explain(faces(3))
    assert maps.shape[0] == 3
    assert maps.min() >= 0.0
    assert maps.max() <= 1.0


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        Classifier(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"<html>sign in</html>", b"\x08\x07garbage" * 50])
def test_a_file_that_is_no_model_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.onnx") as caught:
        Classifier(path)
    assert "\n" not in str(caught.value)
