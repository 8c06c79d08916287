"""Networks that other people publish for FER2013, rebuilt in Keras: saved, loaded, analysed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from moodlens.artifacts import Reading, convert, registry, resolve_model
from moodlens.cli.analyze import command
from moodlens.emotions import EMOTIONS
from moodlens.errors import ModelError
from moodlens.lens import Lens
from moodlens.recognition.classifier import Classifier
from moodlens.settings import settings

pytestmark = pytest.mark.train
PICTURE = sorted((Path(__file__).parents[2] / "src/moodlens/webapp/samples").glob("*.png"))[0]
ALPHABETICAL = "Angry,Disgusted,Fearful,Happy,Neutral,Sad,Surprised"

BUILD = '''
import sys, keras, numpy as np
from keras import layers as l
folder = sys.argv[1]
keras.utils.set_random_seed(1)

def student(side=48, last="softmax", outputs=7, channels=1):
    """The network of many a course: four convolutions, two dense layers."""
    return keras.Sequential([
        keras.Input((side, side, channels)),
        l.Conv2D(8, 3, activation="relu"), l.Conv2D(16, 3, activation="relu"),
        l.MaxPooling2D(), l.Dropout(0.25),
        l.Conv2D(16, 3, activation="relu"), l.MaxPooling2D(),
        l.Conv2D(16, 3, activation="relu"), l.MaxPooling2D(), l.Dropout(0.25),
        l.Flatten(), l.Dense(32, activation="relu"), l.Dropout(0.5),
        l.Dense(outputs, activation=last)])

def vgg():
    """Blocks of two convolutions and a pool, batch normalisation, logits at the end."""
    x = inputs = keras.Input((48, 48, 1))
    for width in (8, 16, 16):
        for _ in range(2):
            x = l.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = l.Activation("relu")(l.BatchNormalization()(x))
        x = l.MaxPooling2D()(x)
    x = l.Dense(32, activation="relu")(l.Flatten()(x))
    return keras.Model(inputs, l.Dense(7)(l.Dropout(0.5)(x)))

def mini_xception():
    """Arriaga et al. 2017, arXiv:1710.07557: separable convolutions with short cuts, 64 pixels,
    a global mean and softmax; pixels from -1 to 1."""
    x = inputs = keras.Input((64, 64, 1))
    for _ in range(2):
        x = l.Activation("relu")(l.BatchNormalization()(l.Conv2D(8, 3, use_bias=False)(x)))
    for width in (16, 32, 64, 128):
        short = l.Conv2D(width, 1, strides=2, padding="same", use_bias=False)(x)
        short = l.BatchNormalization()(short)
        x = l.SeparableConv2D(width, 3, padding="same", use_bias=False)(x)
        x = l.Activation("relu")(l.BatchNormalization()(x))
        x = l.SeparableConv2D(width, 3, padding="same", use_bias=False)(x)
        x = l.MaxPooling2D(3, strides=2, padding="same")(l.BatchNormalization()(x))
        x = l.add([x, short])
    x = l.GlobalAveragePooling2D()(l.Conv2D(7, 3, padding="same")(x))
    return keras.Model(inputs, l.Activation("softmax", name="predictions")(x))

made = {"student": student(), "vgg": vgg(), "mini_xception": mini_xception()}
for name, network in made.items():
    network.save(f"{folder}/{name}.keras")
    side = network.input_shape[1]
    grays = np.arange(2 * side * side, dtype=np.int64) * 7 % 256
    x = grays.reshape(2, side, side, 1).astype("float32") / 255
    np.save(f"{folder}/{name}.npy", network.predict(x * 2 - 1 if side == 64 else x, verbose=0))
student(last="sigmoid").save(f"{folder}/sigmoid.keras")
student(outputs=6).save(f"{folder}/six.keras")
student(channels=3).save(f"{folder}/colour.keras")
keras.config.enable_unsafe_deserialization()
keras.Sequential([keras.Input((48, 48, 1)), l.Lambda(lambda x: x * 2), l.Flatten(),
                  l.Dense(7)]).save(f"{folder}/lambda.keras")
'''


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other work may take longer than a user would wait."""
    monkeypatch.setattr(convert, "TIME_LIMIT_S", 900)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `.keras` files, and the answers of Keras to two pictures."""
    pytest.importorskip("keras")
    pytest.importorskip("tf2onnx")
    folder = tmp_path_factory.mktemp("networks")
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        check=True,
        timeout=900,
        env=environment,
        capture_output=True,
    )
    return folder


def crops(side: int) -> np.ndarray:
    grays = np.arange(2 * side * side, dtype=np.int64) * 7 % 256
    return grays.reshape(2, side, side).astype(np.uint8)


def softmax(rows: np.ndarray) -> np.ndarray:
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("name", "output"), [("student", "probabilities"), ("vgg", "logits")])
def test_the_usual_networks_work_at_once(networks: Path, name: str, output: str) -> None:
    classifier = Classifier(resolve_model(networks / f"{name}.keras"))
    assert classifier.info.output == output
    expected = np.load(networks / f"{name}.npy")
    if output == "logits":
        expected = softmax(expected)
    np.testing.assert_allclose(classifier.classify(crops(48)), expected, atol=1e-4)
    lens = Lens(model=networks / f"{name}.keras", detector="haar")
    result = lens.analyze(PICTURE, thorough=True)
    for face in result.faces:
        assert sum(face.scores.values()) == pytest.approx(1.0, abs=1e-5)


def test_mini_xception_by_flags_gives_what_keras_gives(networks: Path) -> None:
    model = str(networks / "mini_xception.keras")
    picture = str(PICTURE)
    said = ["--input-size", "64", "--scale", "-1:1", "--labels", ALPHABETICAL]
    arguments = [picture, "--model", model, *said, "--format", "json", "--detector", "haar"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["error"] is None
    reading = Reading(input_size=64, scale=(-1, 1), labels=ALPHABETICAL)  # type: ignore[arg-type]
    classifier = Classifier(resolve_model(model, reading=reading))
    expected = np.load(networks / "mini_xception.npy")
    order = [reading.labels.index(e) for e in EMOTIONS]  # type: ignore[union-attr]
    np.testing.assert_allclose(classifier.classify(crops(64)), expected[:, order], atol=1e-4)


def test_mini_xception_by_a_side_file_and_by_a_registry_entry(
    networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = tmp_path / "theirs.keras"
    beside.write_bytes((networks / "mini_xception.keras").read_bytes())
    beside.with_suffix(".toml").write_text("input_size = 64\nscale = [-1, 1]\n")
    found = Classifier(resolve_model(beside)).classify(crops(64))
    np.testing.assert_allclose(found, np.load(networks / "mini_xception.npy"), atol=1e-4)
    beside.with_suffix(".toml").unlink()
    own = tmp_path / "registry.toml"
    own.write_text(
        '[[model]]\nname = "theirs"\nfile = "theirs.keras"\ninput_size = 64\nscale = [-1, 1]\n'
    )
    monkeypatch.setenv("MOODLENS_REGISTRY", str(own))
    monkeypatch.setenv("MOODLENS_MODELS_DIR", str(tmp_path))
    settings.cache_clear()
    assert registry()["theirs"].reading.input_size == 64
    assert Classifier(resolve_model("theirs")).info.name == "theirs"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mini_xception", "expected one input of 48x48x1.*found 64x64x1 and 7.*--input-size 64"),
        ("six", "expected.*one output of 7; found 48x48x1 and 6"),
        ("colour", "expected one input of 48x48x1.*found 48x48x3"),
        ("sigmoid", "expected softmax or logits at the end, found sigmoid"),
        ("lambda", "Lambda layer"),
    ],
)
def test_anything_else_is_refused_with_expected_and_found(
    networks: Path, name: str, words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        resolve_model(networks / f"{name}.keras")


def test_a_conversion_is_kept_for_its_hash_and_reading(
    networks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = resolve_model(networks / "student.keras")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("converted twice"))
    assert resolve_model(networks / "student.keras") == first


def test_a_conversion_that_takes_too_long_is_ended(
    networks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "TIME_LIMIT_S", 0.2)
    with pytest.raises(ModelError, match="took more than"):
        resolve_model(networks / "vgg.keras")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_conversion_has_a_memory_limit(networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "MEMORY_LIMIT", 64 * 1024 * 1024)
    with pytest.raises(ModelError):
        resolve_model(networks / "vgg.keras")
