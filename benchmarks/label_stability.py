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
from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import MoodlensError
from moodlens.evaluation.bench import describe_machine
from moodlens.imaging.sources import open_source
from moodlens.lens import Lens
from moodlens.tracking import StreamOptions
from moodlens.types import Analysis

Frame = NDArray[np.uint8]
FPS = 30.0
WIDTH, HEIGHT, SIDE = 480, 360, 200
"""Of the made frames, and of the face picture in their middle, in pixels."""
LEAD, TAIL = 45, 45
"""Frames before and after a cut: 1.5 s each."""
CALIBRATION_S = 1.5
TARGET_MS = 250.0
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

    def frames(self, face: NDArray[np.uint8], count: int) -> Iterator[Frame]:
        """(360, 480, 3) frames of a (48, 48) gray picture, which stays in the middle."""
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
            noisy = scene * self._rng.normal(1.0, 0.01) + self._rng.normal(0, 2.0, scene.shape)
            gray = np.clip(noisy, 0, 255).astype(np.uint8)
            yield np.repeat(gray[..., None], 3, axis=2)


def share_of(labels: list[Emotion | None], wanted: Iterable[Emotion | None]) -> float:
    wanted = tuple(wanted)
    return sum(label in wanted for label in labels) / len(labels) if labels else 0.0


def switch_delay(lens: Lens, a: list[Frame], b: list[Frame], wanted: Emotion) -> float | None:
    """Milliseconds from the first frame of `b` to the first that shows its label; None: never.

    0 is a switch on the very frame of the cut.
    """
    session = lens.open_session()
    for index, frame in enumerate(a):
        session.process(frame, index / FPS)
    for index, frame in enumerate(b):
        if largest_label(session.process(frame, (len(a) + index) / FPS)) == wanted:
            return index / FPS * 1000
    return None


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
        clips = []
        for index, count in ((first, LEAD), (second, TAIL)):
            label = EMOTIONS[faces.labels[index]]
            clip = list(stage.frames(faces.images[index], count))
            raw = [largest_label(lens.analyze(frame)) for frame in clip[::5]]
            if share_of(raw, [label]) < SETTLED_SHARE:
                break
            clips.append((clip, label))
        if len(clips) < 2:
            continue
        delay = switch_delay(lens, clips[0][0], clips[1][0], clips[1][1])
        if delay is None:
            never += 1
        else:
            delays.append(delay)
        tell("switch", len(delays) + never, pairs)
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


def shown_after(lens: Lens, clip: list[Frame], after_s: float, baseline: bool) -> list[Any]:
    """The displayed labels of a clip's later part."""
    session = lens.open_session(StreamOptions(baseline_s=CALIBRATION_S if baseline else None))
    shown = [largest_label(session.process(frame, index / FPS)) for index, frame in enumerate(clip)]
    return shown[int(after_s * FPS) :]


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
        at_rest = list(stage.frames(neutral.images[index], calibrating + TAIL))
        other = int(rng.integers(len(real)))
        label = EMOTIONS[real.labels[other]]
        cut = at_rest[:calibrating] + list(stage.frames(real.images[other], TAIL))
        for baseline in (False, True):
            shown = shown_after(lens, at_rest, calibrating / FPS, baseline)
            false[baseline].append(share_of(shown, CONFUSED))
            # The first 10 frames after the cut are the switch's own.
            shown = shown_after(lens, cut, calibrating / FPS, baseline)[10:]
            kept[baseline].append(share_of(shown, [label]))
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
