"""What every packaged model must be: small, complete, and the same in both formats."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from moodlens.artifacts import packaged_dir
from moodlens.emotions import EMOTIONS
from moodlens.recognition.classifier import Classifier, open_session
from moodlens.recognition.preprocess import to_input

LARGEST = 12 * 1024 * 1024
MODELS = sorted(
    path for path in packaged_dir().glob("moodlens-*.onnx") if "detector" not in path.name
)
each_model = pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)


def test_the_default_is_packaged() -> None:
    assert "moodlens-default.onnx" in [path.name for path in MODELS]


def smooth_pictures(count: int) -> NDArray[np.float32]:
    """(count, 48, 48, 1) in [0, 1]: chance, but with neighbours alike, as pictures have them."""
    coarse = np.random.default_rng(1).random((count, 8, 8), dtype=np.float32)
    fine = [cv2.resize(c, (48, 48), interpolation=cv2.INTER_CUBIC) for c in coarse]
    return np.clip(np.stack(fine)[..., None], 0, 1).astype(np.float32)


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
    from moodlens.training.int8 import is_int8, read_onnx

    twin = path.with_suffix(".keras")
    assert twin.stat().st_size <= LARGEST
    network = keras.saving.load_model(twin, compile=False, safe_mode=True)
    x = smooth_pictures(24)
    session = open_session(path, 1)
    found = session.run(["scores"], {session.get_inputs()[0].name: x})[0]
    expected = np.asarray(network(x, training=False))
    largest = float(np.abs(found - expected).max())
    if is_int8(read_onnx(path)):
        assert largest < 0.1 * float(np.abs(expected).max())
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.8
    else:
        assert largest < 1e-4


@pytest.mark.train
@pytest.mark.shared_data
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras'
@each_model
def test_both_files_give_faces_the_same_label(path: Path, shared: Path) -> None:
    keras = pytest.importorskip("keras")
    from moodlens.datasets import load_dataset

    faces = load_dataset(shared / "data" / "fer2013" / "fer2013.csv.xz").split("PublicTest")
    some = faces.images[::18]
    network = keras.saving.load_model(path.with_suffix(".keras"), compile=False, safe_mode=True)
    answers = np.asarray(network(to_input(some), training=False)).argmax(axis=1)
    given = Classifier(path).classify(some).argmax(axis=1)
    assert float((answers == given).mean()) > 0.95


@pytest.mark.train
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras'
@each_model
def test_onnx_becomes_keras_again(path: Path, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from moodlens.training.export import to_keras

    target = tmp_path / "again.keras"
    to_keras(path, target, lambda _line: None)
    x = smooth_pictures(8)
    twin = keras.saving.load_model(path.with_suffix(".keras"), compile=False, safe_mode=True)
    again = keras.saving.load_model(target, compile=False, safe_mode=True)
    assert np.abs(np.asarray(again(x)) - np.asarray(twin(x))).max() < 1e-3


@each_model
def test_the_map_adds_up_to_the_scores(path: Path) -> None:
    """A class activation map is exact: its mean is the logit less the layer's constant."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(2).random((6, 48, 48, 1), dtype=np.float32)
    scores, cam = session.run(["scores", "cam"], {session.get_inputs()[0].name: x})
    rest = scores - cam.mean(axis=(1, 2))
    assert np.allclose(rest, rest[:1], atol=1e-3)
