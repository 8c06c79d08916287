"""Frames a second of a 640x480 file, decoding included, on two cores.

The given video, or a picture as a still, is first scaled into a 640x480 H.264 file (unless it is
one already); then `StreamState.follow`, as `moodlens video` uses it, goes through the file. The
parts (decoding alone, analysing alone) are timed beside it.

    python benchmarks/video_speed.py clip.mp4 --json video_speed.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.errors import MoodlensError
from moodlens.evaluation.bench import describe_machine
from moodlens.imaging.sources import open_source
from moodlens.imaging.video_out import VideoWriter
from moodlens.lens import Lens
from moodlens.tracking import StreamOptions

WIDTH, HEIGHT = 640, 480
FPS = 30.0


def fit(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture in a 640x480 frame, proportions kept, black around it."""
    scale = min(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)[:HEIGHT, :WIDTH]
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    y, x = (HEIGHT - small.shape[0]) // 2, (WIDTH - small.shape[1]) // 2
    frame[y : y + small.shape[0], x : x + small.shape[1]] = small
    return frame


def endless(source: Path) -> Iterator[NDArray[np.uint8]]:
    """The frames of a video or picture, again from the start when they end."""
    while True:
        with open_source(source) as opened:
            for frame in opened:
                yield fit(frame.image)


def write_clip(source: Path, target: Path, frames: int) -> None:
    """So many frames of the source as a 640x480 H.264 file."""
    with VideoWriter(target, frames_per_s=FPS) as writer:
        for index, image in enumerate(endless(source)):
            if index == frames:
                return
            writer.write(image, index / FPS)


def decode(clip: Path) -> int:
    with open_source(clip) as source:
        return sum(1 for _ in source)


def decode_and_analyse(clip: Path, lens: Lens) -> int:
    """As `moodlens video` without writing anything."""
    session = lens.open_session(StreamOptions(faces_at_once=None))
    with open_source(clip) as source:
        return sum(1 for _ in session.follow(source))


def analyse(images: list[NDArray[np.uint8]], lens: Lens) -> int:
    """Decoded frames, on one thread."""
    session = lens.open_session(StreamOptions(faces_at_once=None))
    for index, image in enumerate(images):
        session.process(image, index / FPS)
    return len(images)


def measure(source: Path, detector: str, frames: int, rounds: int) -> dict[str, Any]:
    """Medians over rounds; in a round each way goes once through the file."""
    lens = Lens(detector=detector)
    rates: dict[str, list[float]] = {"decode_and_analyse": [], "decode": [], "analyse": []}
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(source, clip, frames)
        with open_source(clip) as opened:
            some = [frame.image for frame in opened if frame.index < 100]
        decode_and_analyse(clip, lens)  # warm
        for _ in range(rounds):
            for name, work in (
                ("decode_and_analyse", lambda: decode_and_analyse(clip, lens)),
                ("decode", lambda: decode(clip)),
                ("analyse", lambda: analyse(some, lens)),
            ):
                started = time.perf_counter()
                count = work()
                rates[name].append(count / (time.perf_counter() - started))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "benchmark": "video_speed",
        "machine": describe_machine(),
        "source": source.name,
        "detector": lens.detector.name,
        "frames": frames,
        "rounds": rounds,
        "cores": cores,
        **{f"{name}_per_s": round(statistics.median(all_), 1) for name, all_ in rates.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="a video, or a picture as a still")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2, help="use only so many of them")
    parser.add_argument("--json", type=Path, help="write the result there, too")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    cv2.setNumThreads(1)
    try:
        result = measure(options.source, options.detector, options.frames, options.rounds)
    except MoodlensError as error:
        parser.error(str(error))
    print(
        f"{result['detector']}, {result['cores']} cores: {result['decode_and_analyse_per_s']} "
        f"frames/s decoded and analysed; decoding alone {result['decode_per_s']}, analysing "
        f"alone on one thread {result['analyse_per_s']}"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
