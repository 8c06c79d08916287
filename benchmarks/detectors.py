"""The face detectors side by side on composed scenes held out from training.

    python benchmarks/detectors.py fer2013.csv photographs --markdown docs/detectors.md

Faces are FER2013's PublicTest pictures, backgrounds those photographs that no training has
seen. What a scene holds is known: it was composed. Boxes and landmarks of the pasted faces are
YuNet's, the mean of six looks at each enlarged picture.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from moodlens.datasets import FaceDataset, read_fer2013
from moodlens.detection import Detector, create_detector
from moodlens.lens import Lens
from moodlens.training.detector.effects import Gray
from moodlens.training.detector.faces import AnnotatedFaces, looks_at, overlap
from moodlens.training.detector.pipeline import Ingredients, prepare
from moodlens.training.detector.recipe import DetectorRecipe
from moodlens.training.detector.scenes import SceneComposer
from moodlens.training.detector.scoring import (
    Score,
    agreed_boxes,
    landmark_errors,
    to_frame,
    wanted_boxes,
    wrong_boxes,
)

NAMES = ("moodlens", "yunet", "haar")
WIDTH, HEIGHT = 320, 256
SEED = 77
SMALL = 12.0
"""Look for faces from 12 pixels: nothing is scaled down."""


@dataclass
class Row:
    """One detector's figures."""

    detector: str
    milliseconds: float
    milliseconds_crowd: float
    of_yunet: float
    overlap_yunet: float
    found: float
    found_20_40: float
    found_40_100: float
    found_100_300: float
    wrong_per_100_scenes: float
    wrong_on_200_backgrounds: int
    landmark_error: float | None
    landmark_error_per_point: float | None
    accuracy: float
    missed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="fer2013.csv, plain, .gz or .xz")
    parser.add_argument("backgrounds", type=Path, help="folder of photographs")
    parser.add_argument("--scenes", type=int, default=600)
    parser.add_argument("--faces", type=int, default=1000, help="for landmarks and accuracy")
    parser.add_argument("--work", type=Path, help="keep the faces' labels in this folder")
    parser.add_argument("--markdown", type=Path, help="write the table here too")
    parser.add_argument("--json", type=Path, dest="json_path")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    recipe = DetectorRecipe.load("detector")
    dataset = read_fer2013(options.data).split("PublicTest")
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        parts = prepare(recipe, dataset, options.backgrounds, work, _say)
    rows = measure(recipe, parts, dataset, options.scenes, options.faces)
    text = table(rows, options.scenes, options.faces, looks_apart(parts.faces, options.faces))
    print(text)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    if options.json_path:
        figures = [asdict(row) for row in rows]
        options.json_path.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def measure(
    recipe: DetectorRecipe, parts: Ingredients, dataset: FaceDataset, scenes: int, faces: int
) -> list[Row]:
    """The figures of each detector, on the same scenes."""
    composer = SceneComposer(recipe.scenes, parts.faces, parts.held_out, SEED)
    images, labels = composer.compose_many(0, scenes)
    frames = [to_frame(image) for image in images]
    empty = [to_frame(view) for view in background_views(parts.held_out, 200)]
    chosen = np.linspace(0, len(parts.faces) - 1, min(faces, len(parts.faces))).astype(int)
    some = AnnotatedFaces(
        [parts.faces.pictures[i] for i in chosen],
        parts.faces.boxes[chosen],
        parts.faces.landmarks[chosen],
        parts.faces.rows[chosen],
    )
    sizes = np.exp(np.random.default_rng(SEED).uniform(np.log(48), np.log(200), len(some)))
    single = SceneComposer(recipe.scenes, some, parts.held_out, SEED + 1)
    alone = [single.compose_one(i, float(sizes[i]), i) for i in range(len(some))]
    truth = dataset.labels[some.rows]
    reference = create_detector("yunet")
    seen = [reference.detect(frame, min_face_px=SMALL) for frame in frames]
    rows = []
    for name in NAMES:
        _say(f"measuring {name}")
        detector = create_detector(name)
        of_yunet, known = Score(), Score()
        for frame, label, theirs in zip(frames, labels, seen, strict=True):
            found = detector.detect(frame, min_face_px=SMALL)
            of_yunet.add(agreed_boxes(label, theirs), found.boxes_xyxy)
            known.add(wanted_boxes(label), found.boxes_xyxy)
            known.wrong += wrong_boxes(label, found)
        size, hit = np.array(known.sizes), np.array(known.hits)
        share = [
            float(hit[(size >= a) & (size < b)].mean())
            for a, b in ((20, 40), (40, 100), (100, 301))
        ]
        errors = landmark_errors(some, detector)
        has_marks = bool(np.isfinite(errors).any())
        lens = Lens(detector=detector)
        right, missed = 0, 0
        for i, scene in enumerate(alone):
            answer = judged(lens, to_frame(scene.image), scene.labels[0][:4])
            missed += answer is None
            right += answer == int(truth[i])
        rows.append(
            Row(
                name,
                milliseconds(detector, [to_frame(scene.image) for scene in alone]),
                milliseconds(detector, frames),
                of_yunet.recall,
                of_yunet.median_overlap,
                known.recall,
                *share,
                100 * known.wrong / scenes,
                sum(len(detector.detect(frame, min_face_px=SMALL)) for frame in empty),
                float(np.nanmedian(errors.mean(axis=1))) if has_marks else None,
                float(np.nanmedian(errors)) if has_marks else None,
                right / len(alone),
                missed,
            )
        )
    return rows


@dataclass
class LooksApart:
    """How far YuNet's landmarks of the same enlarged faces lie apart, in eye distances.

    Attributes:
        single: one look and the mirrored one at the same picture, median over faces.
        halves: the mean of three looks and the mean of the other three.
    """

    single: float
    halves: float


def looks_apart(faces: AnnotatedFaces, count: int) -> LooksApart:
    """The noise of the landmarks that the detectors are measured against."""
    reference = create_detector("yunet")
    single, halves = [], []
    for i in np.linspace(0, len(faces) - 1, min(count, len(faces))).astype(int):
        seen = [look.landmarks for look in looks_at(faces.pictures[i], reference)]
        if len(seen) < 6:
            continue
        marks = np.array(seen)
        left, right = marks.mean(axis=0)[:2]
        eyes = float(np.linalg.norm(right - left))
        half, other = marks[[0, 3, 4]].mean(axis=0), marks[[1, 2, 5]].mean(axis=0)
        single.append(float(np.linalg.norm(marks[0] - marks[1], axis=1).mean()) / eyes)
        halves.append(float(np.linalg.norm(half - other, axis=1).mean()) / eyes)
    return LooksApart(float(np.median(single)), float(np.median(halves)))


def judged(lens: Lens, frame: np.ndarray, box: np.ndarray) -> int | None:
    """The emotion's number for the face on this box, or None when it was not found."""
    found = lens.detector.detect(frame, min_face_px=SMALL)
    if not len(found):
        return None
    shared = overlap(box[None], found.boxes_xyxy)[0]
    if shared.max() < 0.3:
        return None
    crops = lens.crop(frame, found.select(np.array([shared.argmax()])))
    return int(lens.classifier.classify(crops)[0].argmax())


def background_views(pictures: list[Gray], count: int) -> list[Gray]:
    """Pictures without faces: each whole, and its middle enlarged twice."""
    views: list[Gray] = []
    for picture in pictures:
        height, width = picture.shape
        middle = picture[height // 4 : height - height // 4, width // 4 : width - width // 4]
        large = cv2.resize(middle, (width, height), interpolation=cv2.INTER_CUBIC)
        views += [picture, np.asarray(large, np.uint8)]
    return views[:count]


def milliseconds(detector: Detector, frames: list[np.ndarray]) -> float:
    """Median time of one call on scenes on which it finds something, on one core."""
    chosen = [f for f in frames[:60] if len(detector.detect(f, min_face_px=SMALL))]
    times = []
    for _ in range(3):
        for frame in chosen:
            start = time.perf_counter()
            detector.detect(frame, min_face_px=SMALL)
            times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def table(rows: list[Row], scenes: int, faces: int, apart: LooksApart) -> str:
    """The figures as a page of Markdown."""

    def line(title: str, values: list[str]) -> str:
        return "| " + " | ".join([title, *values]) + " |"

    def percent(value: float) -> str:
        return f"{100 * value:.1f} %"

    def maybe(value: float | None) -> str:
        return "no landmarks" if value is None else percent(value)

    lines = [
        "# The face detectors, side by side",
        "",
        f"Measured by `benchmarks/detectors.py` on {scenes} composed scenes of {WIDTH}x{HEIGHT} "
        f"pixels (PublicTest faces, backgrounds held out from training) and {faces} single faces.",
        "",
        line("", [row.detector for row in rows]),
        line("---", ["---:"] * len(rows)),
        line(
            "one 320x256 frame with one face, one core",
            [f"{r.milliseconds:.2f} ms" for r in rows],
        ),
        line("... with up to 16 faces", [f"{r.milliseconds_crowd:.2f} ms" for r in rows]),
        line("found, of the faces YuNet finds", [percent(r.of_yunet) for r in rows]),
        line("median overlap with YuNet's boxes", [f"{r.overlap_yunet:.2f}" for r in rows]),
        line("found, of all pasted faces of 20 to 300 px", [percent(r.found) for r in rows]),
        line("... 20 to 40 px", [percent(r.found_20_40) for r in rows]),
        line("... 40 to 100 px", [percent(r.found_40_100) for r in rows]),
        line("... 100 to 300 px", [percent(r.found_100_300) for r in rows]),
        line("false boxes in 100 scenes", [f"{r.wrong_per_100_scenes:.1f}" for r in rows]),
        line(
            "false boxes in 200 background pictures",
            [str(r.wrong_on_200_backgrounds) for r in rows],
        ),
        line(
            "landmark error, mean of the five, median over faces",
            [maybe(r.landmark_error) for r in rows],
        ),
        line(
            "landmark error, median over all points",
            [maybe(r.landmark_error_per_point) for r in rows],
        ),
        line("emotion right, detected, cropped, classified", [percent(r.accuracy) for r in rows]),
        line(f"faces missed, of {faces}", [str(r.missed) for r in rows]),
        "",
        "Faces are of 48 to 200 pixels in the last two lines and the first. Landmark errors are in "
        "distances between the eyes, against the mean of six looks of YuNet at the enlarged "
        "picture; YuNet's own column is one look of it. That mean is itself no finer than this: "
        f"YuNet's landmarks of a picture and of its mirror image lie {percent(apart.single)} "
        f"apart, the means of three looks and of the other three {percent(apart.halves)}. False "
        "boxes touch no face; some backgrounds hold things that look like one. Times are of this "
        "machine; their ratio matters.",
        "",
    ]
    return "\n".join(lines)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
