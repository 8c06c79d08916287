"""How long each step of a frame takes, beside the bare network calls."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import moodlens
from moodlens.artifacts import find_model
from moodlens.evaluation.bench_floor import record_calls
from moodlens.evaluation.bench_scene import make_frames
from moodlens.imaging import load_image
from moodlens.lens import Lens

RESOLUTIONS = ((320, 240), (640, 480), (1280, 720), (1920, 1080))
FACES = (1, 3, 10)
THREADS = (1, 2)
USUAL = (640, 480)
"""Where the number of faces and threads is varied."""
JPEG_QUALITY = 90
Work = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure."""

    detector: str
    width: int
    height: int
    faces: int
    threads: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians of one case, in milliseconds a frame.

    Attributes:
        case: what was measured.
        found: faces found on a frame.
        rounds: how often every step was timed, each once a round, in turns.
        decode_ms: from the bytes of a JPEG file to a frame; not part of `whole_ms`.
        detect_ms: the detector with all around its network.
        crop_ms: cutting the faces out.
        classify_ms: the emotion network with its calibration.
        whole_ms: `Lens.analyze` of a decoded frame; quality and results included.
        whole_p90_ms: nine tenths of the frames took at most this.
        stream_ms: `StreamState.process` of the next frame: tracking and smoothing included.
        floor_detect_ms: the detector's bare network calls; None for one without a network.
        floor_classify_ms: the classifier's bare network call.
    """

    case: Case
    found: int
    rounds: int
    decode_ms: float
    detect_ms: float
    crop_ms: float
    classify_ms: float
    whole_ms: float
    whole_p90_ms: float
    stream_ms: float
    floor_detect_ms: float | None
    floor_classify_ms: float

    @property
    def floor_ms(self) -> float | None:
        """Both bare network calls; None where the detector has none."""
        if self.floor_detect_ms is None:
            return None
        return self.floor_detect_ms + self.floor_classify_ms

    def to_dict(self) -> dict[str, Any]:
        """Flat, rounded to microseconds."""
        plain = asdict(self)
        result = {**plain.pop("case"), **plain, "floor_ms": self.floor_ms}
        floor = self.floor_ms
        result["times_the_floor"] = None if floor is None else self.whole_ms / floor
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()}


def detectors_here() -> list[str]:
    """The detectors that this machine has without fetching anything, the default first."""
    here = [name for name in ("moodlens-detector", "yunet") if find_model(name) is not None]
    return [name.removesuffix("-detector") for name in here] + ["haar"]


def choose_cases(detectors: list[str], *, quick: bool = False, full: bool = False) -> list[Case]:
    """What to measure: each resolution with one face on one thread, and at 640x480 each number
    of faces on each number of threads.

    Args:
        detectors: by name.
        quick: only 320x240 and 640x480 with one face on one thread.
        full: every combination.
    """
    wanted: list[Case] = []
    for detector in detectors:
        for width, height in RESOLUTIONS[:2] if quick else RESOLUTIONS:
            for faces in (1,) if quick else FACES:
                for threads in (1,) if quick else THREADS:
                    usual = (width, height) == USUAL
                    if full or usual or (faces == 1 and threads == 1):
                        wanted.append(Case(detector, width, height, faces, threads))
    return wanted


def measure(
    case: Case,
    pictures: list[NDArray[np.uint8]],
    *,
    model: str | None = None,
    rounds: int = 60,
    seconds: float = 4.0,
) -> Timing:
    """Time every step of one case, in turns, so that a change of the machine's pace meets all.

    Args:
        case: what.
        pictures: the faces; see `moodlens.evaluation.bench_scene`.
        model: a model SPEC; None: as set.
        rounds: at most; at least three.
        seconds: no round begins later than this.

    Raises:
        ModelError: the model can't be used. SettingsError: there is no such detector.
    """
    frames = make_frames(pictures, case.width, case.height, case.faces)
    files = [_jpeg(frame) for frame in frames]
    lens = Lens(model=model, detector=case.detector, threads=case.threads)
    floor_lens = Lens(model=model, detector=case.detector, threads=case.threads)
    floor_detect, floor_classify = record_calls(floor_lens).learn(frames[0])
    stream = lens.open_session()
    with _opencv_threads(case.threads):
        found = [len(lens.analyze(frame).faces) for frame in frames]
        for frame in frames:
            stream.process(frame)
        times: dict[str, list[float]] = {}
        deadline = time.perf_counter() + seconds
        for index in range(max(rounds, 3)):
            steps = _steps(lens, frames[index % len(frames)], files[index % len(files)])
            steps["stream"] = partial(stream.process, frames[index % len(frames)])
            steps["floor_classify"] = floor_classify
            if floor_detect is not None:
                steps["floor_detect"] = floor_detect
            for name, work in steps.items():
                started = time.perf_counter()
                work()
                times.setdefault(name, []).append((time.perf_counter() - started) * 1000)
            if index >= 2 and time.perf_counter() > deadline:
                break
    middle = {name: statistics.median(all_) for name, all_ in times.items()}
    return Timing(
        case=case,
        found=round(statistics.median(found)),
        rounds=len(times["whole"]),
        whole_p90_ms=float(np.quantile(times["whole"], 0.9)),
        floor_detect_ms=middle.pop("floor_detect", None),
        **{f"{name}_ms": value for name, value in middle.items()},
    )


def _steps(lens: Lens, frame: NDArray[np.uint8], file: bytes) -> dict[str, Work]:
    """The steps of a frame, each ready to be timed alone."""
    detections = lens.detector.detect(frame, min_face_px=lens.min_face_px)
    crops = lens.crop(frame, detections)
    return {
        "decode": lambda: load_image(file),
        "detect": lambda: lens.detector.detect(frame, min_face_px=lens.min_face_px),
        "crop": lambda: lens.crop(frame, detections),
        "classify": lambda: lens.classifier.classify(crops),
        "whole": lambda: lens.analyze(frame),
    }


@contextmanager
def _opencv_threads(count: int) -> Iterator[None]:
    """OpenCV on so many threads, and afterwards as before."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _jpeg(frame: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    return data.tobytes()


def write_picture(frame: NDArray[np.uint8], path: Path) -> Path:
    """A frame as a JPEG file."""
    path.write_bytes(_jpeg(frame))
    return path


def describe_machine() -> dict[str, Any]:
    """What the figures depend on; nothing that names the machine or its user."""
    import onnxruntime

    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "opencv": cv2.__version__,
        "numpy": np.__version__,
        "moodlens": moodlens.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
