"""How steady the displayed labels are, how fast they follow, and what the baseline corrects.

Three measurements, each on its own material:

- `flips`: on a video, how often the displayed label changes beside the raw one of each frame.
- `switch`: clips made of two FER2013 `PublicTest` faces, at 30 frames a second, that cut from one
  expression to another at the same place: the time until the displayed label has followed.
- `baseline`: clips of one neutral FER2013 face each: how much of the time *sad* or *angry* is
  shown, with and without the personal baseline; and how much of a real *sad* or *angry* face that
  follows still comes through.

    python benchmarks/label_stability.py ../shared/media/talking-woman.mp4 \
        ../shared/data/fer2013/fer2013.csv.xz --json stability.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.datasets import FaceDataset, read_fer2013
from moodlens.detection.base import Detections, Detector
from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import InputError, MoodlensError
from moodlens.evaluation.bench import describe_machine
from moodlens.imaging.sources import open_source
from moodlens.lens import Lens
from moodlens.tracking import StreamOptions, StreamState
from moodlens.types import Analysis, Face

Frame = NDArray[np.uint8]
FPS = 30.0
WIDTH, HEIGHT, SIDE = 320, 240, 150
"""Of the made frames, and of the face picture in their middle, in pixels."""
LEAD, TAIL = 45, 45
"""Frames before and after a cut: 1.5 s each."""
CALIBRATION_S = 1.5
SWITCHING = 10
TARGET_MS = 250.0
GRAINS = 16
"""Patterns of noise, of which each frame gets one by chance."""
SETTLED_SHARE = 0.8
"""A face counts for a switch when this share of its frames says what its label says."""
CONFUSED: tuple[Emotion, Emotion] = ("sad", "angry")


def largest_label(analysis: Analysis) -> Emotion | None:
    face = analysis.largest
    return None if face is None else face.emotion


def changes(labels: Iterable[Emotion | None]) -> int:
    """How often a label differs from the one before; frames without a face are passed over."""
    seen = [label for label in labels if label is not None]
    return sum(a != b for a, b in pairwise(seen))


def flips(lens: Lens, video: Path) -> dict[str, Any]:
    """Label changes of the largest face, of every frame alone and as displayed."""
    session = lens.open_session()
    raw: list[Emotion | None] = []
    shown: list[Emotion | None] = []
    events = 0
    with open_source(video) as source:
        for frame in source:
            raw.append(largest_label(lens.analyze(frame.image)))
            analysis = session.process(frame.image, frame.timestamp_s)
            shown.append(largest_label(analysis))
            events += sum(event.from_emotion is not None for event in analysis.events)
    raw_changes, shown_changes = changes(raw), changes(shown)
    return {
        "video": video.name,
        "frames": len(raw),
        "frames_with_face": sum(label is not None for label in shown),
        "raw_changes": raw_changes,
        "displayed_changes": shown_changes,
        "announced_changes": events,
        "displayed_of_raw": round(shown_changes / max(raw_changes, 1), 3),
    }


class Stage:
    """Makes video frames of 48x48 faces: each a little elsewhere, a little brighter, grainy."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._grain = self._rng.normal(0.0, 2.0, (GRAINS, HEIGHT, WIDTH)).astype(np.float32)

    def frames(self, face: NDArray[np.uint8], count: int) -> Iterator[Frame]:
        """(240, 320, 3) frames of a (48, 48) gray picture, which stays in the middle."""
        large = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        around = cv2.resize(cv2.GaussianBlur(face, (0, 0), 8), (WIDTH, HEIGHT))
        for _ in range(count):
            scale = self._rng.normal(1.0, 0.004)
            x, y = (np.array([WIDTH, HEIGHT]) - SIDE * scale) / 2 + self._rng.normal(0.0, 0.7, 2)
            move = np.array([[scale, 0.0, x], [0.0, scale, y]])
            scene = around.copy()
            cv2.warpAffine(
                large,
                move,
                (WIDTH, HEIGHT),
                dst=scene,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_TRANSPARENT,
            )
            grain = self._grain[self._rng.integers(GRAINS)]
            noisy = scene * np.float32(self._rng.normal(1.0, 0.01)) + grain
            gray = np.clip(noisy, 0, 255).astype(np.uint8)
            yield np.repeat(gray[..., None], 3, axis=2)


def share_of(labels: list[Emotion | None], wanted: Iterable[Emotion | None]) -> float:
    wanted = tuple(wanted)
    return sum(label in wanted for label in labels) / len(labels) if labels else 0.0


class Judged:
    """The faces of a frame and what the network says of them, found once for several streams.

    It takes the place of the lens behind a stream, so that with and without a baseline the very
    same answers are steadied.
    """

    def __init__(self, lens: Lens) -> None:
        self.detector: Detector = lens.detector
        self.min_face_px, self.min_quality = lens.min_face_px, lens.min_quality
        self.restate = lens.restate
        self._lens = lens
        self._known: dict[int, tuple[Frame, Detections, list[Face]]] = {}

    def look(self, frame: Frame) -> tuple[Detections, list[Face]]:
        """The faces of a frame, on the whole of it."""
        if id(frame) not in self._known:
            detections = self.detector.detect(frame, min_face_px=self.min_face_px)
            faces = self._lens.judge(frame, detections)
            self._known[id(frame)] = frame, detections, faces  # the frame keeps its id
        return self._known[id(frame)][1:]

    def judge(self, frame: Frame, detections: Detections) -> list[Face]:
        """As a stream asks; the faces it chose are among those of the frame."""
        known, faces = self.look(frame)
        rows = [row.tolist() for row in known.boxes_xyxy]
        return [faces[rows.index(row.tolist())] for row in detections.boxes_xyxy]

    def raw_label(self, frame: Frame) -> Emotion | None:
        """The label of the largest face of the frame alone."""
        _, faces = self.look(frame)
        return max(faces, key=lambda face: face.area).emotion if faces else None

    def shown(self, clip: list[Frame], options: StreamOptions | None = None) -> list[Any]:
        """The displayed label of every frame."""
        session = StreamState(self, options)
        labels = []
        for index, frame in enumerate(clip):
            detections, _ = self.look(frame)
            labels.append(largest_label(session.process(frame, index / FPS, detections=detections)))
        return labels


def delay_ms(shown: list[Any], wanted: Emotion) -> float | None:
    """From the first of the frames, that of the cut, to the first that shows the label.

    0 is a switch on the very frame of the cut; None: it never came.
    """
    return shown.index(wanted) / FPS * 1000 if wanted in shown else None


def switches(lens: Lens, faces: FaceDataset, pairs: int, seed: int) -> dict[str, Any]:
    """Delays over random pairs of faces of different expression.

    A pair counts when the raw labels of both faces are their true ones on most frames (else there
    is no real switch to follow) and the face is found.
    """
    rng, stage = np.random.default_rng(seed), Stage(seed)
    delays: list[float] = []
    never = tried = 0
    while len(delays) + never < pairs and tried < 20 * pairs:
        tried += 1
        first, second = rng.choice(len(faces), 2, replace=False).tolist()
        if faces.labels[first] == faces.labels[second]:
            continue
        judged, clip = Judged(lens), []
        for index, count in ((first, LEAD), (second, TAIL)):
            label = EMOTIONS[faces.labels[index]]
            (trial,) = stage.frames(faces.images[index], 1)
            if judged.raw_label(trial) != label:
                break
            part = list(stage.frames(faces.images[index], count))
            if share_of([judged.raw_label(frame) for frame in part], [label]) < SETTLED_SHARE:
                break
            clip += part
        if len(clip) < LEAD + TAIL:
            continue
        delay = delay_ms(judged.shown(clip)[LEAD:], EMOTIONS[faces.labels[second]])
        if delay is None:
            never += 1
        else:
            delays.append(delay)
        tell("switch", len(delays) + never, pairs)
    if not delays:
        raise InputError("not one pair of faces whose labels are recognised: no switch to follow")
    all_ = np.array(delays + [np.inf] * never)
    return {
        "pairs": len(all_),
        "pairs_tried": tried,
        "never": never,
        "median_ms": _finite(np.quantile(all_, 0.5, method="higher")),
        "p95_ms": _finite(np.quantile(all_, 0.95, method="higher")),
        "within_target": round(float((all_ <= TARGET_MS).mean()), 4),
        "target_ms": TARGET_MS,
    }


def baselines(lens: Lens, faces: FaceDataset, count: int, seed: int) -> dict[str, Any]:
    """Share of time that a neutral face is shown as sad or angry; and what real ones keep."""
    rng, stage = np.random.default_rng(seed), Stage(seed + 1)
    neutral = faces.select(faces.labels == EMOTIONS.index("neutral"))
    real = faces.select(np.isin(faces.labels, [EMOTIONS.index(e) for e in CONFUSED]))
    false: dict[bool, list[float]] = {True: [], False: []}
    kept: dict[bool, list[float]] = {True: [], False: []}
    chosen = rng.permutation(len(neutral))[:count].tolist()
    calibrating = int(CALIBRATION_S * FPS) + 6
    for done, index in enumerate(chosen, start=1):
        judged = Judged(lens)
        at_rest = list(stage.frames(neutral.images[index], calibrating + TAIL))
        other = int(rng.integers(len(real)))
        label = EMOTIONS[real.labels[other]]
        cut = at_rest[:calibrating] + list(stage.frames(real.images[other], TAIL))
        for with_baseline in (False, True):
            options = StreamOptions(baseline_s=CALIBRATION_S if with_baseline else None)
            shown = judged.shown(at_rest, options)[calibrating:]
            false[with_baseline].append(share_of(shown, CONFUSED))
            # The first frames after the cut are the switch's own.
            shown = judged.shown(cut, options)[calibrating + SWITCHING :]
            kept[with_baseline].append(share_of(shown, [label]))
        tell("baseline", done, len(chosen))
    return {
        "neutral_faces": len(chosen),
        "calibration_s": CALIBRATION_S,
        "false_sad_angry_without": round(float(np.mean(false[False])), 4),
        "false_sad_angry_with": round(float(np.mean(false[True])), 4),
        "real_sad_angry_without": round(float(np.mean(kept[False])), 4),
        "real_sad_angry_with": round(float(np.mean(kept[True])), 4),
    }


def tell(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{name}: {done} of {total} ", end="\n" if done == total else "", file=sys.stderr)


def _finite(value: np.floating[Any]) -> float | None:
    return round(float(value), 1) if np.isfinite(value) else None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("fer2013", type=Path, help="fer2013.csv, also .gz or .xz")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--faces", type=int, default=150, help="neutral faces for the baseline")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the result there, too")
    options = parser.parse_args()
    try:
        lens = Lens(detector=options.detector)
        faces = read_fer2013(options.fer2013).split("PublicTest")
        result = {
            "benchmark": "label_stability",
            "machine": describe_machine(),
            "detector": lens.detector.name,
            "flips": flips(lens, options.video),
            "switch": switches(lens, faces, options.pairs, options.seed),
            "baseline": baselines(lens, faces, options.faces, options.seed),
        }
    except MoodlensError as error:
        parser.error(str(error))
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
