"""What the registry says of the packaged files is true."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from moodlens.artifacts import packaged_dir, registry
from moodlens.artifacts.stamp import REGISTRY, stamp
from moodlens.errors import ModelError


def test_the_packaged_files_have_the_bytes_that_the_registry_names() -> None:
    packaged = [entry for entry in registry().values() if entry.packaged]
    assert {entry.name for entry in packaged} >= {
        "moodlens-default",
        "moodlens-tiny",
        "moodlens-detector",
    }
    for entry in packaged:
        data = (packaged_dir() / entry.file).read_bytes()
        assert entry.size == len(data), entry.name
        assert entry.sha256 == hashlib.sha256(data).hexdigest(), entry.name


def test_stamping_changes_packaged_entries_alone_and_only_once(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    shutil.copy(REGISTRY, path)
    before = path.read_text()
    assert "moodlens-tiny.onnx" in stamp(path)
    assert path.read_text() == before
    for entry in registry().values():
        (tmp_path / entry.file).write_bytes(entry.name.encode())
    stamp(path, tmp_path)
    after = path.read_text()
    assert hashlib.sha256(b"moodlens-tiny").hexdigest() in after
    assert "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0" in after  # yunet
    assert after.count("sha256") == before.count("sha256")


def test_a_missing_file_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    shutil.copy(REGISTRY, path)
    before = path.read_text()
    with pytest.raises(ModelError, match="not there"):
        stamp(path, tmp_path)
    assert path.read_text() == before
