"""What every packaged model must be: small, complete, and the same in both formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moodlens.artifacts import packaged_dir
from moodlens.emotions import EMOTIONS
from moodlens.recognition.classifier import Classifier

LARGEST = 12 * 1024 * 1024
MODELS = sorted(
    path for path in packaged_dir().glob("moodlens-*.onnx") if "detector" not in path.name
)
each_model = pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)


def test_the_default_is_packaged() -> None:
    assert "moodlens-default.onnx" in [path.name for path in MODELS]


@each_model
def test_files_are_small(path: Path) -> None:
    assert path.stat().st_size <= LARGEST
    if path.stem == "moodlens-tiny":
        assert path.stat().st_size <= 1024 * 1024


@each_model
def test_the_card_is_complete(path: Path) -> None:
    info = Classifier(path).info
    assert info.name == path.stem
    assert info.labels == EMOTIONS
    assert info.input_side == 48
    assert info.output == "logits"
    assert info.conformal_threshold is not None
    assert 0 < info.conformal_threshold <= 1
    assert info.licence
    assert info.metrics["split"] == "PublicTest"
    assert info.metrics["n"] > info.metrics["n_without_twins"]
    assert info.metrics["accuracy"] > info.metrics["accuracy_without_twins"]
    assert set(info.metrics["per_class_f1"]) == set(EMOTIONS)
    assert {"recipe", "seed", "git_revision", "packages", "data", "backend"} <= set(info.training)
    assert len(info.training["data"]["sha256"]) == 64
    assert info.training["trained_on"] == "Training"


@each_model
def test_any_number_of_faces_and_a_map(path: Path) -> None:
    classifier = Classifier(path)
    faces = np.random.default_rng(0).integers(0, 256, (5, 48, 48), dtype=np.uint8)
    alone = classifier.classify(faces[:1])
    together = classifier.classify(faces)
    assert together.shape == (5, 7)
    assert np.allclose(alone[0], together[0], atol=1e-5)
    maps = classifier.explain(faces)
    assert maps.shape[0] == 5
    assert 0.0 <= maps.min() <= maps.max() <= 1.0


@pytest.mark.train
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras'
@each_model
def test_keras_and_onnx_agree(path: Path) -> None:
    keras = pytest.importorskip("keras")
    import onnxruntime

    twin = path.with_suffix(".keras")
    assert twin.stat().st_size <= LARGEST
    network = keras.saving.load_model(twin, compile=False, safe_mode=True)
    x = np.random.default_rng(1).random((8, 48, 48, 1), dtype=np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(["scores"], {session.get_inputs()[0].name: x})[0]
    expected = np.asarray(network(x, training=False))
    assert float(np.abs(found - expected).max()) < 1e-4


@pytest.mark.train
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras'
@each_model
def test_onnx_becomes_keras_again(path: Path) -> None:
    pytest.importorskip("keras")
    from moodlens.training.onnx_export import parity
    from moodlens.training.restore import keras_from_onnx

    assert parity(keras_from_onnx(path), path) < 1e-3


@each_model
def test_the_map_adds_up_to_the_scores(path: Path) -> None:
    """A class activation map is exact: its mean is the logit less the layer's constant."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(2).random((6, 48, 48, 1), dtype=np.float32)
    scores, cam = session.run(["scores", "cam"], {session.get_inputs()[0].name: x})
    rest = scores - cam.mean(axis=(1, 2))
    assert np.allclose(rest, rest[:1], atol=1e-3)
