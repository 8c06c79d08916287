"""Where to cut a found face: placements compared by the accuracy they lead to.

FER2013 `PublicTest` pictures are pasted enlarged into larger scenes, found again by a detector,
cropped by each placement and classified. The crops as given are the ceiling.

    python benchmarks/crop_geometry.py ../shared/data/fer2013/fer2013.csv.xz \
        ../shared/data/backgrounds --pictures 900 --write docs/crop-geometry.md
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.artifacts import resolve_model
from moodlens.datasets import read_fer2013
from moodlens.detection import create_detector
from moodlens.detection.base import Detections
from moodlens.detection.yunet import YuNet
from moodlens.imaging import load_image
from moodlens.recognition.classifier import Classifier
from moodlens.recognition.preprocess import crop_square

SIDES = (64, 110, 180)
# Medians over FER2013's training pictures: eyes, nose tip, mouth corners, of the side.
PLACES = np.array(
    [[0.310, 0.381], [0.678, 0.381], [0.485, 0.597], [0.347, 0.752], [0.643, 0.752]], np.float32
)
Square = NDArray[np.float32]


def by_box(of_width: float, of_height: float) -> Callable[[Detections], Square]:
    def place(found: Detections) -> Square:
        x1, y1, x2, y2 = found.boxes_xyxy[0]
        side = ((x2 - x1) * of_width + (y2 - y1) * of_height) / (bool(of_width) + bool(of_height))
        return np.array([(x1 + x2) / 2, (y1 + y2) / 2, side], np.float32)

    return place


def by_landmarks(found: Detections) -> Square:
    """The square in which the five points lie closest to where FER2013 has them."""
    assert found.landmarks is not None
    points = found.landmarks[0]
    spread = points - points.mean(axis=0)
    usual = PLACES - PLACES.mean(axis=0)
    side = float(np.sum(spread * usual) / np.sum(usual**2))
    corner = points.mean(axis=0) - side * PLACES.mean(axis=0)
    return np.array([*(corner + side / 2), side], np.float32)


def by_tight_landmarks(found: Detections) -> Square:
    return by_landmarks(found) * np.array([1, 1, 0.92], np.float32)


def by_both(found: Detections) -> Square:
    return (by_box(1.19, 0.90)(found) + by_tight_landmarks(found)) / 2


def upright(frame: NDArray[np.uint8], found: Detections, square: Square) -> NDArray[np.uint8]:
    """The crop, turned so that the eyes are level where the head leans more than 12 degrees."""
    x, y, side = (float(v) for v in square)
    assert found.landmarks is not None
    left, right = found.landmarks[0, :2]
    roll = math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))
    if abs(roll) <= 12:
        return crop_square(frame, x, y, side)
    turn = cv2.getRotationMatrix2D((x, y), roll, 1.0)
    height, width = frame.shape[:2]
    turned = cv2.warpAffine(frame, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return crop_square(np.asarray(turned, np.uint8), x, y, side)


WITH_LANDMARKS: dict[str, Callable[[Detections], Square]] = {
    "box: mean of 1.19 widths and 0.90 heights": by_box(1.19, 0.90),
    "box: 1.19 widths": by_box(1.19, 0.0),
    "box: 0.90 heights": by_box(0.0, 0.90),
    "box, the training pictures' own size (8 % more)": by_box(1.29, 0.98),
    "box, 20 % more": by_box(1.42, 1.08),
    "box, 8 % less": by_box(1.09, 0.83),
    "landmarks": by_landmarks,
    "landmarks, 8 % less": by_tight_landmarks,
    "mean of box and landmarks": by_both,
}
PLACEMENTS: dict[str, dict[str, Callable[[Detections], Square]]] = {
    "yunet": WITH_LANDMARKS,
    "moodlens": WITH_LANDMARKS,  # it has learnt YuNet's boxes
    "haar": {
        "box": by_box(1.0, 1.0),
        "box, 10 % more": by_box(1.1, 1.1),
        "box, 10 % less": by_box(0.9, 0.9),
    },
}


def scene(
    face: NDArray[np.uint8],
    backgrounds: list[NDArray[np.uint8]],
    side: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], Square]:
    """The face, `side` pixels wide, somewhere on a photograph; and its centre and side."""
    frame = backgrounds[int(rng.integers(len(backgrounds)))].copy()
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    top = int(rng.integers(0, frame.shape[0] - side))
    left = int(rng.integers(0, frame.shape[1] - side))
    frame[top : top + side, left : left + side] = large[..., None]
    return frame, np.array([left + side / 2, top + side / 2, side], np.float32)


def without_faces(folder: Path) -> list[NDArray[np.uint8]]:
    """The photographs in which YuNet finds nobody, even at a low threshold."""
    look = YuNet(resolve_model("yunet", kind="detector"), min_score=0.3)
    frames = [load_image(path) for path in sorted(folder.glob("*.jpg"))]
    return [frame for frame in frames if len(look.detect(frame, min_face_px=12.0)) == 0]


def on_the_face(found: Detections, pasted: Square) -> Detections | None:
    """The detection nearest to the pasted face; None where none lies on it."""
    if len(found) == 0:
        return None
    boxes = found.boxes_xyxy
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = np.linalg.norm(centres - pasted[:2], axis=1) / pasted[2]
    best = int(away.argmin())
    return found.select(np.array([best])) if away[best] < 0.35 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("backgrounds", type=Path)
    parser.add_argument("--pictures", type=int, default=900)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    faces = read_fer2013(options.data).split("PublicTest")
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(len(faces), min(options.pictures, len(faces)), replace=False))
    faces = faces.select(chosen)
    backgrounds = without_faces(options.backgrounds)
    classifier = Classifier(resolve_model(None))
    given = classifier.classify(faces.images).argmax(axis=1) == faces.labels
    lines = [
        "# Where a found face is cut",
        "",
        f"{len(faces)} `PublicTest` pictures of FER2013, each pasted at {SIDES} pixels into a",
        "photograph without people, found again and cropped. Accuracy of the packaged model, in",
        "percent: of the faces found, beside the same pictures as given. *Side* and *centre* say",
        "how the cut square differs from the pasted one: the medians of its side, and of its",
        "centre's distance to the right and down, in sides. Made by",
        "`benchmarks/crop_geometry.py`.",
        "",
        f"All pictures as given: **{100 * given.mean():.1f}**.",
        "",
        "| detector | placement | found | accuracy | as given | side | centre |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, placements in PLACEMENTS.items():
        detector = create_detector(name)
        crops: dict[str, list[NDArray[np.uint8]]] = {key: [] for key in placements}
        places: dict[str, list[Square]] = {key: [] for key in placements}
        turned = "box, leaning heads turned upright"
        if name != "haar":
            crops[turned] = []
        rows: list[int] = []
        asked = 0
        rng = np.random.default_rng(1)  # the same scenes for each detector
        for row, image in enumerate(faces.images):
            for side in SIDES:
                asked += 1
                frame, pasted = scene(image, backgrounds, side, rng)
                found = on_the_face(detector.detect(frame), pasted)
                if found is None:
                    continue
                rows.append(row)
                for key, place in placements.items():
                    square = place(found)
                    x, y, size = (float(v) for v in square)
                    crops[key].append(crop_square(frame, x, y, size))
                    off = (square[:2] - pasted[:2]) / pasted[2]
                    places[key].append(np.array([*off, size / pasted[2]], np.float32))
                if name != "haar":
                    usual = detector.crop_squares(found)[0]
                    crops[turned].append(upright(frame, found, usual))
        same = 100 * given[rows].mean()
        for key, pictures in crops.items():
            answers = classifier.classify(np.stack(pictures)).argmax(axis=1)
            right = 100 * float((answers == faces.labels[rows]).mean())
            where = "|  |  |"
            if key in places:
                dx, dy, size = np.median(np.stack(places[key]), axis=0)
                where = f"| {size:.2f} | {dx:+.2f}, {dy:+.2f} |"
            lines.append(
                f"| {name} | {key} | {100 * len(rows) / asked:.1f} % "
                f"| {right:.1f} | {same:.1f} {where}"
            )
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
