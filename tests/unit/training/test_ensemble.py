"""Several networks as one: the mean of their logits, an exact map, small files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moodlens.datasets import FaceDataset
from moodlens.errors import ModelError
from moodlens.training.recipe import Recipe

pytest.importorskip("tensorflow")

import keras

from moodlens.recognition.classifier import Classifier, open_session
from moodlens.recognition.metadata import ModelInfo
from moodlens.training.ensemble import average_networks
from moodlens.training.half import save_half
from moodlens.training.int8 import is_int8, quantise, read_onnx, write_int8
from moodlens.training.network import build_network
from moodlens.training.onnx_export import write_onnx
from moodlens.training.restore import keras_from_onnx

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras'
]


def network(recipe: Recipe, seed: int) -> keras.Model:
    """A network with weights that nothing was trained for, no two layers alike."""
    keras.utils.set_random_seed(seed)
    made = build_network(recipe.network)
    rng = np.random.default_rng(seed)
    made.set_weights([w + rng.normal(0, 0.1, w.shape) ** 2 for w in made.get_weights()])
    return made


@pytest.fixture(scope="module")
def pair(recipe: Recipe) -> list[keras.Model]:
    wider = recipe.with_changes({"network.widths": (8, 16)})
    return [network(recipe, 1), network(wider, 2)]


@pytest.fixture(scope="module")
def file(pair: list[keras.Model], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ensemble") / "two.onnx"
    write_onnx(average_networks(pair, "two"), path, ModelInfo(name="two"))
    return path


def inputs(faces: FaceDataset) -> np.ndarray:
    return faces.images[:12, ..., None].astype(np.float32) / 255


def test_its_logits_are_the_mean_of_the_members(
    pair: list[keras.Model], file: Path, faces: FaceDataset
) -> None:
    x = inputs(faces)
    members = [np.asarray(member(x, training=False)) for member in pair]
    expected = np.mean(members, axis=0)
    assert np.abs(members[0] - members[1]).max() > 0.1, "the members differ"
    np.testing.assert_allclose(average_networks(pair, "two")(x), expected, atol=1e-4)
    session = open_session(file, 1)
    scores, cam = session.run(["scores", "cam"], {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(scores, expected, atol=1e-3)
    rest = scores - cam.mean(axis=(1, 2))
    np.testing.assert_allclose(rest, np.tile(rest[:1], (len(x), 1)), atol=1e-3)


def test_members_keep_their_own_weights(pair: list[keras.Model]) -> None:
    before = [np.copy(w) for w in pair[0].get_weights()]
    average_networks(pair, "two")
    assert all(np.array_equal(a, b) for a, b in zip(before, pair[0].get_weights(), strict=True))


def test_one_network_or_other_maps_are_no_ensemble(pair: list[keras.Model], recipe: Recipe) -> None:
    with pytest.raises(ModelError, match="two networks"):
        average_networks(pair[:1], "one")
    coarse = recipe.with_changes({"network.widths": (8, 12, 16), "network.depths": (1, 1, 1)})
    with pytest.raises(ModelError, match="maps of one size"):
        average_networks([pair[0], network(coarse, 3)], "odd")


def test_half_the_bytes_and_the_same_answers(
    pair: list[keras.Model], faces: FaceDataset, tmp_path: Path
) -> None:
    whole, half = tmp_path / "whole.keras", tmp_path / "half.keras"
    made = average_networks(pair, "two")
    made.save(whole)
    save_half(made, half)
    found = keras.saving.load_model(half, compile=False, safe_mode=True)
    assert {str(w.dtype) for w in found.weights} == {"float32"}
    x = inputs(faces)
    np.testing.assert_allclose(found(x), made(x), atol=0.02 * float(np.abs(made(x)).max()))
    assert not np.array_equal(found.get_weights()[0], made.get_weights()[0]), "it was rounded"
    assert half.stat().st_size < whole.stat().st_size


def test_int8_keeps_the_card_and_the_map(file: Path, faces: FaceDataset, tmp_path: Path) -> None:
    import onnx

    small, x = tmp_path / "small.onnx", inputs(faces)
    name = open_session(file, 1).get_inputs()[0].name
    write_int8(file, small, ({name: x[i : i + 4]} for i in range(0, 12, 4)))
    assert is_int8(read_onnx(small))
    assert not is_int8(read_onnx(file))
    assert Classifier(small).info == Classifier(file).info
    graph = onnx.load(str(small)).graph
    kernels = [w for w in graph.initializer if w.data_type == onnx.TensorProto.INT8]
    assert sum(len(kernel.dims) == 4 for kernel in kernels) == 10, "five in each member"
    assert max(np.abs(onnx.numpy_helper.to_array(k)).max() for k in kernels) <= 64, "seven bits"
    floats = [
        node.input[1]
        for node in graph.node
        if node.op_type == "Conv" and "Dequantize" not in node.input[1]
    ]
    assert sum("activation_map" in weight for weight in floats) == 1
    assert sum("squeeze" in weight for weight in floats) == 4, "two blocks in each of two members"
    session = open_session(small, 1)
    scores, cam = session.run(["scores", "cam"], {name: x})
    rest = scores - cam.mean(axis=(1, 2))
    np.testing.assert_allclose(rest, np.tile(rest[:1], (len(x), 1)), atol=1e-3)
    exact = open_session(file, 1).run(["scores"], {name: x})[0]
    assert np.abs(scores - exact).max() < 0.1 * np.abs(exact).max()
    with pytest.raises(ModelError, match="int8 file can't be made"):
        keras_from_onnx(small)


def test_int8_that_errs_more_is_not_kept(
    file: Path, faces: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moodlens.training import int8

    monkeypatch.setattr(int8, "MOST_LOST", -1.0)
    target = tmp_path / "small.onnx"
    training, check = faces.split("Training"), faces.split("PublicTest")
    assert not quantise(file, target, training, check).kept
    assert not target.exists()
    monkeypatch.setattr(int8, "MOST_LOST", 1.0)
    assert quantise(file, target, training, check).kept
    assert is_int8(read_onnx(target))


def test_what_is_no_onnx_file_can_not_be_int8(tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    with pytest.raises(ModelError, match="not an ONNX file"):
        read_onnx(text)
