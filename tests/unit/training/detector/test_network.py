"""The network, its training for a few steps, and its ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("onnx")

from moodlens.detection.own import MoodlensDetector  # noqa: E402
from moodlens.errors import ModelError  # noqa: E402
from moodlens.training.detector.batches import SceneBatches  # noqa: E402
from moodlens.training.detector.export import export_detector  # noqa: E402
from moodlens.training.detector.loop import DetectorTraining, load_weights  # noqa: E402
from moodlens.training.detector.network import build_detector  # noqa: E402
from moodlens.training.detector.recipe import DetectorRecipe, NetworkRecipe  # noqa: E402
from moodlens.training.detector.restore import restore_weights  # noqa: E402
from moodlens.training.detector.scenes import SceneComposer  # noqa: E402

pytestmark = pytest.mark.train
SMALL = NetworkRecipe(stem=8, widths=(8, 8, 8), depths=(1, 1, 1), neck=(8, 8, 8))


def shaken(model: keras.Model) -> keras.Model:
    """With statistics and gains as a trained network has them, not 0 and 1."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name.endswith("_bn"):
            weights = [
                rng.uniform(0.5, 1.5, w.shape).astype(np.float32) for w in layer.get_weights()
            ]
            layer.set_weights(weights)
    return model


@pytest.mark.parametrize("size", [(64, 96), (128, 64)])
def test_the_onnx_file_says_what_keras_says(tmp_path: Path, size: tuple[int, int]) -> None:
    import onnxruntime

    model = shaken(build_detector(SMALL))
    path = export_detector(model, SMALL, tmp_path / "d.onnx", {"min_score": 0.5})
    picture = np.random.default_rng(1).integers(0, 256, (3, *size, 1)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(picture / 255))
    expected[..., 0] = 1 / (1 + np.exp(-expected[..., 0]))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {"pictures": picture.reshape(3, 1, *size)})[0]
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()
    assert path.stat().st_size < 100_000


def test_an_exported_detector_comes_back_and_can_be_trained_further(tmp_path: Path) -> None:
    model = shaken(build_detector(SMALL))
    path = export_detector(model, SMALL, tmp_path / "d.onnx", {"min_score": 0.5})
    pictures = np.random.default_rng(1).integers(0, 256, (6, 64, 96), dtype=np.uint8)
    back = build_detector(SMALL)
    back.set_weights(restore_weights(path, SMALL, pictures))
    x = pictures[..., None].astype(np.float32) / 255
    expected, found, training = (
        keras.ops.convert_to_numpy(answer) for answer in (model(x), back(x), back(x, training=True))
    )
    largest = np.abs(expected).max()
    assert np.abs(found - expected).max() < 0.01 * largest  # weights were stored in half precision
    assert np.abs(training - expected).max() < 0.01 * largest  # the statistics are these pictures'


def test_a_deeper_detector_starts_from_the_same_answers(tmp_path: Path) -> None:
    path = export_detector(
        shaken(build_detector(SMALL)), SMALL, tmp_path / "d.onnx", {"min_score": 0.5}
    )
    pictures = np.random.default_rng(1).integers(0, 256, (2, 64, 96), dtype=np.uint8)
    x = pictures[..., None].astype(np.float32) / 255
    answers = []
    for recipe in (SMALL, SMALL.model_copy(update={"depths": (1, 2, 3)})):
        model = build_detector(recipe)
        model.set_weights(restore_weights(path, recipe, pictures))
        answers.append(keras.ops.convert_to_numpy(model(x)))
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-5)
    assert np.any(model.get_layer("stage2_conv2").get_weights()[0]), "a block that can learn"


def test_a_detector_of_another_shape_is_not_trained_further(tmp_path: Path) -> None:
    path = export_detector(build_detector(SMALL), SMALL, tmp_path / "d.onnx", {"min_score": 0.5})
    pictures = np.zeros((1, 64, 64), np.uint8)
    with pytest.raises(ModelError, match="widths and depths"):
        restore_weights(path, NetworkRecipe(), pictures)
    with pytest.raises(ModelError, match="nothing"):
        restore_weights(tmp_path / "nothing.onnx", SMALL, pictures)


def test_fused_and_plain_layers_agree() -> None:
    plain, fused = shaken(build_detector(SMALL)), build_detector(SMALL, fused=True)
    fused.set_weights(plain.get_weights())
    x = np.random.default_rng(2).random((2, 64, 64, 1)).astype(np.float32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(plain(x)), keras.ops.convert_to_numpy(fused(x)), atol=1e-3
    )


def test_a_few_steps_lower_the_loss_and_give_a_detector(
    composer: SceneComposer, tmp_path: Path
) -> None:
    recipe = DetectorRecipe.model_validate(
        {
            "network": SMALL.model_dump(),
            "scenes": composer.recipe.model_dump(),
            "schedule": {
                "epochs": 4, "second_epochs": 1, "batch_size": 4, "precision": "float32",
                "learning_rate": 0.01,
            },
        }
    )  # fmt: skip
    pool = composer.compose_many(0, 16)
    training = DetectorTraining(recipe, tmp_path)
    training.fit([pool], 1)
    losses = [result.loss for result in training.results]
    assert losses[-1] < losses[0]
    model = training.fit([pool, composer.compose_many(16, 8)], 2)
    kept = load_weights(tmp_path / "weights.npz")
    assert all(np.array_equal(a, b) for a, b in zip(kept, model.get_weights(), strict=True))
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 6
    path = export_detector(model, recipe.network, tmp_path / "d.onnx", {"min_score": 0.9})
    found = MoodlensDetector(path).detect(np.zeros((96, 128, 3), np.uint8))
    assert found.boxes_xyxy.shape == (len(found), 4)


def test_batches_are_the_same_again(composer: SceneComposer) -> None:
    pool = composer.compose_many(0, 10)
    one, again = SceneBatches([pool], 4, 1), SceneBatches([pool], 4, 1)
    for a, b in zip(one[1], again[1], strict=True):
        assert np.array_equal(a, b)
    one.on_epoch_end()
    later = SceneBatches([pool], 4, 1, first_epoch=1)
    assert np.array_equal(one[0][0], later[0][0]), "a resumed run sees the same pictures"
    assert len(SceneBatches([pool, pool], 4, 1)) == 5
