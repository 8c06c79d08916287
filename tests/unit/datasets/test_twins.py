"""The same photograph in two splits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from moodlens.datasets.twins import nearest_twin, without_twins


def photographs(n: int, seed: int) -> np.ndarray:
    """Smooth random pictures of 64 pixels: as unlike as faces are, and more."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, 9, 9), dtype=np.uint8)
    return np.stack([cv2.resize(c, (64, 64), interpolation=cv2.INTER_CUBIC) for c in coarse])


TRAINING = photographs(200, 1)


def crops(images: np.ndarray, dy: int = 8, dx: int = 8) -> np.ndarray:
    return np.ascontiguousarray(images[:, dy : dy + 48, dx : dx + 48])


def test_strangers_have_no_twin() -> None:
    assert without_twins(crops(photographs(50, 2)), crops(TRAINING)).all()


def test_the_same_picture_is_a_twin_and_found() -> None:
    found = nearest_twin(crops(TRAINING[40:45]), crops(TRAINING))
    assert found.place.tolist() == [40, 41, 42, 43, 44]
    assert (found.correlation > 0.99).all()
    assert not found.mirrored.any()


@pytest.mark.parametrize("change", ["brighter", "noisy", "mirrored", "shifted", "jpeg"])
def test_a_changed_copy_is_a_twin(change: str) -> None:
    copy = crops(TRAINING[:20])
    if change == "brighter":
        copy = np.clip(copy * 0.7 + 40, 0, 255).astype(np.uint8)
    elif change == "noisy":
        noise = np.random.default_rng(0).normal(0, 6, copy.shape)
        copy = np.clip(copy + noise, 0, 255).astype(np.uint8)
    elif change == "mirrored":
        copy = np.ascontiguousarray(copy[:, :, ::-1])
    elif change == "shifted":
        copy = crops(TRAINING[:20], dy=10, dx=6)
    else:
        packed = [cv2.imencode(".jpg", c, [cv2.IMWRITE_JPEG_QUALITY, 60])[1] for c in copy]
        copy = np.stack([cv2.imdecode(p, cv2.IMREAD_GRAYSCALE) for p in packed])
    found = nearest_twin(copy, crops(TRAINING))
    assert not without_twins(copy, crops(TRAINING)).any()
    assert found.mirrored.all() == (change == "mirrored")


def test_flat_pictures_are_nobodys_twins() -> None:
    flat = np.full((3, 48, 48), 90, np.uint8)
    assert without_twins(flat, np.concatenate([flat, crops(TRAINING[:5])])).all()


def test_nothing_to_compare() -> None:
    none = np.zeros((0, 48, 48), np.uint8)
    assert without_twins(crops(TRAINING[:2]), none).tolist() == [True, True]
    assert without_twins(none, crops(TRAINING[:2])).shape == (0,)


@pytest.mark.shared_data
def test_the_exact_twins_of_fer2013(shared: Path) -> None:
    """The 279 pixel-for-pixel twins are all found."""
    from moodlens.datasets import read_fer2013

    dataset = read_fer2013(shared / "data" / "fer2013" / "fer2013.csv.xz")
    training, public = dataset.split("Training"), dataset.split("PublicTest")
    known = {image.tobytes() for image in training.images}
    exact = np.array([image.tobytes() in known for image in public.images])
    unseen = without_twins(public.images, training.images)
    assert exact.sum() == 279
    assert not unseen[exact].any()
    assert 600 < (~unseen).sum() < 900
