"""Where a model comes from: code revision, package versions, data, recipe. Kept in its card."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from moodlens.datasets.core import FaceDataset
from moodlens.training.recipe import Recipe

_PACKAGES = ("keras", "numpy", "opencv-python-headless", "onnxruntime", "onnx", "tf2onnx")
_BACKENDS = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "torch": ("torch",), "jax": ("jax",)}


def git_revision() -> str:
    """The commit that this code is at, with "+" after it when files differ; else "unknown"."""
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", str(here))
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return commit + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return done.stdout.strip()


def package_versions(backend: str) -> dict[str, str]:
    """Versions of what a training run depends on."""
    found = {"python": platform.python_version()}
    for name in (*_PACKAGES, *_BACKENDS.get(backend, ())):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def data_hash(dataset: FaceDataset) -> str:
    """SHA-256 of pictures, labels, splits and votes: the same for every packing of the data."""
    digest = hashlib.sha256()
    digest.update(dataset.images.tobytes())
    digest.update(dataset.labels.tobytes())
    digest.update("\n".join(dataset.splits.tolist()).encode())
    if dataset.votes is not None:
        digest.update(dataset.votes.tobytes())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_run(
    recipe: Recipe,
    dataset: FaceDataset,
    *,
    backend: str,
    left_out: dict[str, int],
    teachers: list[Path] | None = None,
    start_from: Path | None = None,
) -> dict[str, Any]:
    """All that reproduces a run, ready for JSON.

    Args:
        recipe: of the run, defaults included.
        dataset: all rows of the data, before cleaning.
        backend: of Keras.
        left_out: how many rows of Training are not trained on, by reason.
        teachers: model files whose answers are part of the targets.
        start_from: weights that the run starts from.
    """
    splits = sorted(set(dataset.splits.tolist()))
    return {
        "recipe": json.loads(recipe.model_dump_json()),
        "seed": recipe.seed,
        "backend": backend,
        "git_revision": git_revision(),
        "packages": package_versions(backend),
        "data": {
            "name": Path(dataset.source).name,
            "sha256": data_hash(dataset),
            "rows": {name: int((dataset.splits == name).sum()) for name in splits},
            "ferplus_votes": dataset.votes is not None,
            "left_out": left_out,
        },
        "trained_on": "Training",
        "chosen_on": "PublicTest without twins",
        "teachers": [{"name": p.name, "sha256": file_hash(p)} for p in teachers or []],
        "start_from": None
        if start_from is None
        else {"name": start_from.name, "sha256": file_hash(start_from)},
    }
