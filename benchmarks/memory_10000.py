"""Memory over a long stream: 10,000 frames through one stream session.

Growth is what is resident after the last frame over what was resident after the first 200 (the
libraries have made their buffers by then). Faces come, go and move, so tracks are made and
forgotten. Without a picture the faces are the packaged average faces.

    python benchmarks/memory_10000.py --json memory.json
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.errors import MoodlensError
from moodlens.evaluation.bench import describe_machine
from moodlens.evaluation.bench_child import resident_mib
from moodlens.evaluation.bench_scene import face_pictures, make_frames
from moodlens.lens import Lens

SETTLED = 200
WIDTH, HEIGHT = 640, 480
AWAY_EVERY, AWAY = 150, 45
"""Of every 150 frames 45 (1.5 s) show nobody, so that every track is lost once."""


def frames(image: Path | None, count: int) -> Iterator[NDArray[np.uint8]]:
    """One face, then three, then nobody, again and again."""
    pictures = face_pictures(image)
    one, three = (make_frames(pictures, WIDTH, HEIGHT, faces) for faces in (1, 3))
    nobody = np.full((HEIGHT, WIDTH, 3), 112, np.uint8)
    for index in range(count):
        place = index % AWAY_EVERY
        if place >= AWAY_EVERY - AWAY:
            yield nobody
        else:
            yield (one if place < (AWAY_EVERY - AWAY) // 2 else three)[index % len(one)]


def measure(detector: str, image: Path | None, count: int) -> dict[str, Any]:
    """Resident memory in MiB along one stream."""
    before, _ = resident_mib()
    lens = Lens(detector=detector)
    session = lens.open_session()
    loaded, _ = resident_mib()
    settled, ids, curve = 0.0, set(), []
    started = time.perf_counter()
    for index, frame in enumerate(frames(image, count), start=1):
        analysis = session.process(frame)
        ids |= {face.track_id for face in analysis.faces}
        if index == SETTLED:
            gc.collect()
            settled, _ = resident_mib()
        if index % max(count // 20, 1) == 0:
            curve.append([index, round(resident_mib()[0], 1)])
            if sys.stderr.isatty():
                print(f"\r{index} of {count} frames, {curve[-1][1]} MiB ", end="", file=sys.stderr)
    took = time.perf_counter() - started
    gc.collect()
    end, peak = resident_mib()
    return {
        "benchmark": "memory_10000",
        "machine": describe_machine(),
        "detector": lens.detector.name,
        "frames": count,
        "tracks": len(ids),
        "before_lens_mib": round(before, 1),
        "lens_loaded_mib": round(loaded, 1),
        "settled_mib": round(settled, 1),
        "end_mib": round(end, 1),
        "peak_mib": round(peak, 1),
        "growth_mib": round(end - settled, 2),
        "frames_per_s": round(count / took, 1),
        "curve": curve,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--image", type=Path, help="a picture with one face")
    parser.add_argument("--json", type=Path, help="write the result there, too")
    options = parser.parse_args()
    if options.frames <= SETTLED:
        parser.error(f"--frames must be more than {SETTLED}")
    try:
        result = measure(options.detector, options.image, options.frames)
    except MoodlensError as error:
        parser.error(str(error))
    print(
        f"{result['detector']}: {result['end_mib']} MiB resident after {result['frames']} frames, "
        f"{result['growth_mib']:+.2f} MiB since frame {SETTLED}; {result['tracks']} tracks"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
