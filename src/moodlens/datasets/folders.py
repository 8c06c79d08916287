"""Pictures in folders: one sub-folder for each emotion, at the top or under train/ and test/."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from moodlens.datasets.core import FaceDataset
from moodlens.datasets.fer2013 import ALL
from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import DatasetError, ImageError
from moodlens.imaging import load_image
from moodlens.recognition.preprocess import INPUT_SIDE, crop_square, to_gray

CLASS_NAMES: Final[dict[Emotion, tuple[str, ...]]] = {
    "angry": ("angry", "anger"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful", "afraid"),
    "happy": ("happy", "happiness", "joy"),
    "sad": ("sad", "sadness"),
    "surprise": ("surprise", "surprised", "suprise"),
    "neutral": ("neutral",),
}
"""What a class folder may be called, upper or lower case; as the copies of FER2013 spell them."""
SPLIT_NAMES = {
    "train": "Training",
    "training": "Training",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
    "publictest": "PublicTest",
    "privatetest": "PrivateTest",
}
"""Folders that hold class folders, and the split they stand for. The usual `test` folder of
FER2013 is PublicTest and PrivateTest together, so it keeps its own name."""
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm")

_LABELS = {name: EMOTIONS.index(e) for e, names in CLASS_NAMES.items() for name in names}


@dataclass(frozen=True)
class PictureFolder:
    """Which pictures there are; nothing is decoded yet.

    Attributes:
        path: the folder.
        paths: (n) the picture files, in order of split, class and name.
        labels: (n,) int64 index into `EMOTIONS`.
        splits: (n,) name of each picture's split; "all" without split folders.
    """

    path: Path
    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.paths)

    def split(self, name: str) -> PictureFolder:
        """The pictures of one split.

        Raises:
            DatasetError: there are none; the message lists the splits there are.
        """
        chosen = np.flatnonzero(self.splits == name)
        if not len(chosen):
            there = ", ".join(sorted(set(self.splits.tolist())))
            raise DatasetError(f"{self.path}: no pictures of split {name!r}; splits found: {there}")
        paths = tuple(self.paths[i] for i in chosen)
        return PictureFolder(self.path, paths, self.labels[chosen], self.splits[chosen])

    def frames(self) -> Iterator[tuple[NDArray[np.uint8], int]]:
        """Each picture whole, (height, width, 3) BGR uint8, and its label, one at a time.

        Raises:
            DatasetError: a picture is damaged; the message names the file.
        """
        for path, label in zip(self.paths, self.labels, strict=True):
            yield _read(path), int(label)

    def load(self) -> FaceDataset:
        """All pictures as face crops.

        A 48x48 picture is used as it is; of any other the largest centred square is resized, as
        `moodlens.recognition.preprocess` does it.

        Raises:
            DatasetError: a picture is damaged; the message names the file.
        """
        images = np.empty((len(self), INPUT_SIDE, INPUT_SIDE), np.uint8)
        for i, path in enumerate(self.paths):
            gray = to_gray(_read(path))
            height, width = gray.shape
            if (height, width) != (INPUT_SIDE, INPUT_SIDE):
                gray = crop_square(gray, width / 2, height / 2, min(height, width))
            images[i] = gray
        rows = np.arange(len(self), dtype=np.int64)
        return FaceDataset(images, self.labels, self.splits, rows, str(self.path))


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        return load_image(path)
    except ImageError as error:
        raise DatasetError(str(error)) from error


def list_folder(path: Path | str) -> PictureFolder:
    """Find the class folders and their pictures.

    Raises:
        DatasetError: an unknown class folder, no class folder or no picture.
    """
    path = Path(path)
    folders = _subfolders(path)
    roots = [(f, SPLIT_NAMES[_plain(f)]) for f in folders if _plain(f) in SPLIT_NAMES]
    if roots:
        strangers = [f for f in folders if _plain(f) not in SPLIT_NAMES]
        if strangers:
            raise DatasetError(
                f"{strangers[0]}: beside {roots[0][0].name}/ only train, validation and test "
                "folders are expected"
            )
    else:
        roots = [(path, ALL)]
    paths: list[Path] = []
    labels: list[int] = []
    splits: list[str] = []
    for root, split in roots:
        for folder in _subfolders(root):
            label = _LABELS.get(_plain(folder))
            if label is None:
                raise DatasetError(
                    f"{folder}: unknown class folder; expected names of the seven emotions: "
                    f"{', '.join(EMOTIONS)}"
                )
            found = sorted(f for f in folder.rglob("*") if _is_picture(f))
            paths += found
            labels += [label] * len(found)
            splits += [split] * len(found)
    if not paths:
        raise DatasetError(
            f"{path}: no pictures; expected a sub-folder for each emotion ({', '.join(EMOTIONS)})"
        )
    return PictureFolder(path, tuple(paths), np.array(labels, dtype=np.int64), np.array(splits))


def _subfolders(path: Path) -> list[Path]:
    """Folders in order of name, without hidden ones and what archives leave behind."""
    try:
        found = sorted(path.iterdir())
    except OSError as error:
        raise DatasetError(f"{path}: can't be read: {error.strerror or error}") from error
    return [f for f in found if f.is_dir() and not f.name.startswith((".", "__"))]


def _plain(folder: Path) -> str:
    return folder.name.lower().replace("_", "").replace("-", "").strip()


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES and path.is_file() and not path.name.startswith(".")
