"""From a SPEC to a file: names, paths, and files that are not taken."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from moodlens.artifacts import find_model, registry, resolve_model
from moodlens.errors import DownloadError, ModelError, MoodlensError, SettingsError
from moodlens.recognition.classifier import Classifier
from moodlens.settings import settings


def test_the_default_is_packaged_and_runs() -> None:
    path = resolve_model(None)
    assert path == find_model("moodlens-default")
    assert Classifier(path).info.name == "moodlens-default"


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    copy = shutil.copy(resolve_model(None), tmp_path / "own.onnx")
    assert resolve_model(str(copy)) == Path(copy)


@pytest.mark.shared_data
def test_yunet_is_found_by_its_hash_alone(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_model("yunet") is not None
    (tmp_path / registry()["yunet"].file).write_bytes(b"another file of that name")
    monkeypatch.setenv("MOODLENS_MODELS_DIR", str(tmp_path))
    settings.cache_clear()
    assert find_model("yunet") is None


def test_offline_an_absent_model_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOODLENS_MODELS_DIR", raising=False)
    settings.cache_clear()
    with pytest.raises(DownloadError, match="MOODLENS_OFFLINE"):
        resolve_model("yunet", kind="detector")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("nowhere.onnx", "no such model file.*moodlens-default"),
        ("yunet", "kind detector"),
        ("hf:only-an-owner", "hf:OWNER"),
    ],
)
def test_wrong_specs_say_what_is_wrong(spec: str, words: str) -> None:
    with pytest.raises(MoodlensError, match=words):
        resolve_model(spec)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps({"weights": [1, 2]}, protocol=4), "pickle"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5"),
        (b"<html>quota</html>", "web page"),
    ],
)
def test_files_that_could_run_code_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=words):
        resolve_model(path)


def test_the_users_registry_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[model]]\nname = "ours"\nfile = "ours.onnx"\nurls = ["https://x.invalid/m"]\n')
    monkeypatch.setenv("MOODLENS_REGISTRY", str(own))
    settings.cache_clear()
    assert next(iter(registry())) == "ours"
    assert "yunet" in registry()


@pytest.mark.parametrize(
    "text",
    ["not toml [", '[[model]]\nname = "x"\nfile = "../../etc/passwd"\n', '[[model]]\nname = "x"\n'],
)
def test_a_faulty_registry_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    monkeypatch.setenv("MOODLENS_REGISTRY", str(own))
    settings.cache_clear()
    with pytest.raises(SettingsError, match=r"own\.toml"):
        registry()
