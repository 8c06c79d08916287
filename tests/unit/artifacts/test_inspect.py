"""Files that are not what they should be are refused before anything runs them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from moodlens.artifacts import inspect, make_reading, resolve_model
from moodlens.artifacts.inspect import check_onnx
from moodlens.emotions import EMOTIONS
from moodlens.errors import ModelError


def write_network(path: Path, *, outputs: int = 7, weights: str | None = None) -> Path:
    """A dense layer as ONNX; its weights in the file `weights` where that is given."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    matrix = onnx.numpy_helper.from_array(np.ones((2304, outputs), np.float32), "w")
    if weights is not None:
        onnx.external_data_helper.set_external_data(
            matrix, weights, offset=0, length=9216 * outputs
        )
        matrix.ClearField("raw_data")
        matrix.data_location = onnx.TensorProto.EXTERNAL
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["scores"]),
        ],
        "network",
        [helper.make_tensor_value_info("x", 1, ["n", 48, 48, 1])],
        [helper.make_tensor_value_info("scores", 1, ["n", outputs])],
        [matrix],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.train
def test_weights_may_lie_in_the_models_own_folder_only(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.bin").write_bytes(bytes(9216 * 7))
    (tmp_path / "outside.bin").write_bytes(bytes(9216 * 7))
    check_onnx(write_network(folder / "good.onnx", weights="w.bin"), alone=False)
    for place in ("../outside.bin", str(tmp_path / "outside.bin"), "absent.bin"):
        path = write_network(folder / "bad.onnx", weights=place)
        with pytest.raises(ModelError, match="missing or outside its own folder"):
            check_onnx(path, alone=False)
    with pytest.raises(ModelError, match="save it as one file"):
        check_onnx(folder / "good.onnx", alone=True)


@pytest.mark.train
def test_inputs_and_outputs_are_named_as_expected_and_found(tmp_path: Path) -> None:
    path = write_network(tmp_path / "six.onnx", outputs=6)
    with pytest.raises(ModelError, match=r"expected one float input.*7.*found.*6\]"):
        resolve_model(path)


@pytest.mark.train
def test_a_network_without_a_card_is_sound_all_the_same(tmp_path: Path) -> None:
    path = write_network(tmp_path / "plain.onnx")
    assert resolve_model(path) == path


def test_a_damaged_file_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(resolve_model(None).read_bytes()[:5000])
    with pytest.raises(ModelError, match="not a model that ONNX Runtime can run"):
        resolve_model(path)


def test_an_empty_file_and_another_zip_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.onnx"
    empty.touch()
    with pytest.raises(ModelError, match="empty"):
        resolve_model(empty)
    other = tmp_path / "weights.keras"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("archive/data.pkl", "code")
    with pytest.raises(ModelError, match=r"not a \.keras file"):
        resolve_model(other)


def test_files_over_a_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(3_000_000))
    monkeypatch.setattr(inspect, "UNPACKED_LIMIT", 2_000_000)
    with pytest.raises(ModelError, match="unpacks to more than"):
        resolve_model(bomb)
    monkeypatch.setattr(inspect, "SIZE_LIMIT", 1000)
    with pytest.raises(ModelError, match="too large for a model"):
        resolve_model(bomb)


def test_a_reading_knows_the_common_names_and_both_ways_to_write_a_scale() -> None:
    said = make_reading("x", labels="Angry,Disgusted,Fearful,Happy,Neutral,Sad,Surprised")
    assert said.labels == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    card = make_reading("x", input_size=64, scale="-1:1").card()
    expected = {"labels": list(EMOTIONS), "input_side": 64, "scale": 2.0, "offset": -1.0}
    assert card == expected
    assert make_reading("x", scale=(0, 255)).over(said).labels == said.labels


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"labels": "happy,sad"}, "labels must be the seven emotions"),
        ({"scale": "255"}, "scale is LOW:HIGH"),
        ({"scale": "1:1"}, "same number"),
        ({"input_size": 4}, "input_size"),
    ],
)
def test_a_reading_that_makes_no_sense_is_named(said: dict[str, object], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        make_reading("--model", **said)


def test_an_onnx_file_says_itself_how_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"\.keras files only"):
        resolve_model(resolve_model(None), reading=make_reading("x", input_size=64))
