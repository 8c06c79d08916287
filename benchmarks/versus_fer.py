"""moodlens beside the package `fer`: the same frames, the same run, in turns, one core.

`fer` is set up at the first run in a virtual environment of its own in the user's cache, with
what its default way needs. Each candidate is a process that waits while another has its turn.

    python benchmarks/versus_fer.py picture.jpg --json versus_fer.json
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The workers of `fer` run this file in an environment without moodlens: standard library only here.

WIDTH, HEIGHT = 640, 480
FRAMES = 16
"""Frames that differ by a few pixels' shift, so nothing can be kept from one to the next."""
WARM_UP = 5
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
    ),
    "1",
)
# `fer` itself is installed without its dependencies: of these, facenet-pytorch (with PyTorch)
# serves its other detector, moviepy and ffmpeg-python its videos, none of them what is timed here.
NEEDS = (
    "tensorflow-cpu",
    "opencv-contrib-python-headless<5",  # later ones no longer hold the cascades
    "pandas",
    "requests",
    "tqdm",
    "pillow",
    "matplotlib",
    "setuptools<81",  # fer asks for pkg_resources, which later ones no longer hold
)
Frame = Any


def environment(folder: Path, fer: str) -> Path:
    """The Python of a virtual environment that holds `fer`; made where it is not there yet."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "installed.txt"
    wanted = "\n".join((*NEEDS, fer))
    if done.is_file() and done.read_text() == wanted:
        return python
    print(f"setting up {fer} in {folder}: about a minute", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for packages in ([*NEEDS], ["--no-deps", fer]):
        subprocess.run([*pip, *packages], check=True, stdout=sys.stderr)
    done.write_text(wanted)
    return python


def make_frames(path: Path) -> list[Frame]:
    """The picture fitted into a gray 640x480 frame, at 16 places a few pixels apart."""
    import cv2
    import numpy as np

    from moodlens.imaging import load_image

    picture = load_image(path)
    scale = min((WIDTH - 16) / picture.shape[1], (HEIGHT - 16) / picture.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how)
    frames = []
    for index in range(FRAMES):
        x = (WIDTH - small.shape[1]) // 2 - 6 + index % 4 * 4
        y = (HEIGHT - small.shape[0]) // 2 - 6 + index // 4 * 4
        frame = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
        frame[y : y + small.shape[0], x : x + small.shape[1]] = small
        frames.append(frame)
    return frames


def open_candidate(name: str) -> tuple[Callable[[Frame], int], str]:
    """What analyses a frame and tells how many faces it found; and its version."""
    import cv2

    cv2.setNumThreads(1)
    way, _, detail = name.partition(":")
    if way == "fer":
        logging.disable(logging.WARNING)
        import fer
        from fer.fer import FER

        judge = FER(use_tflite=detail == "default")
        return lambda frame: len(judge.detect_emotions(frame)), fer.__version__
    import moodlens
    from moodlens.lens import Lens

    lens = Lens(detector=detail, threads=1)
    if way == "floor":
        from moodlens.evaluation.bench_floor import record_calls

        return record_calls(lens).replay_frame, moodlens.__version__
    if way == "stream":
        session = lens.open_session()
        return lambda frame: len(session.process(frame).faces), moodlens.__version__
    return lambda frame: len(lens.analyze(frame).faces), moodlens.__version__


def work(name: str, frames_file: Path, core: int) -> None:
    """A candidate's process: for every number on standard input, that many frames' times in ms."""
    import numpy as np

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    frames = np.load(frames_file)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints does not get among the answers
    analyse, version = open_candidate(name)
    found = [analyse(frames[index % len(frames)]) for index in range(WARM_UP)]
    print(json.dumps({"version": version, "faces": found[-1]}), file=answers, flush=True)
    at = 0
    for line in sys.stdin:
        times, faces = [], []
        for _ in range(int(line)):
            started = time.perf_counter()
            count = analyse(frames[at % len(frames)])
            times.append((time.perf_counter() - started) * 1000)
            faces.append(count)
            at += 1
        print(json.dumps({"ms": times, "faces": faces}), file=answers, flush=True)


class Candidate:
    """A process that measures when it is told to."""

    def __init__(self, name: str, python: Path, frames_file: Path, core: int) -> None:
        self.name = name
        self.times: list[float] = []
        self.faces: list[int] = []
        arguments = [python, __file__, "--worker", name, frames_file, "--core", core]
        self._process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                **ONE_THREAD,
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "PYTHONWARNINGS": "ignore",
            },
        )
        self.version = self._answer()["version"]

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            assert self._process.stderr is not None
            last = self._process.stderr.read().strip().splitlines() or ["it said nothing"]
            raise SystemExit(f"versus_fer: {self.name} stopped: {last[-1]}")
        return json.loads(line)

    def turn(self, frames: int) -> None:
        """Analyse some frames and keep their times."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{frames}\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.times += answer["ms"]
        self.faces += answer["faces"]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def result(self) -> dict[str, Any]:
        """Median and tenth parts of the times in ms, and the share of frames with one face."""
        tenths = statistics.quantiles(self.times, n=10)
        return {
            "name": self.name,
            "version": self.version,
            "median_ms": round(statistics.median(self.times), 3),
            "p10_ms": round(tenths[0], 3),
            "p90_ms": round(tenths[-1], 3),
            "frames": len(self.times),
            "one_face_share": round(sum(f == 1 for f in self.faces) / len(self.faces), 3),
        }


def candidates() -> list[str]:
    """`fer` as it comes and with its larger network; moodlens with each detector that is here."""
    from moodlens.evaluation.bench import detectors_here

    names = ["fer:default", "fer:keras"]
    here = detectors_here()
    if "yunet" not in here:
        print("without YuNet: 'moodlens models fetch yunet' brings it", file=sys.stderr)
    for detector in here:
        names.append(f"analyze:{detector}")
        if detector == "haar":
            names.append("stream:haar")
        else:
            names.append(f"floor:{detector}")
    return names


def measure(options: argparse.Namespace, python: Path) -> dict[str, Any]:
    """All candidates in turns over the same frames."""
    import numpy as np

    from moodlens.evaluation.bench import describe_machine

    opened: list[Candidate] = []
    with tempfile.TemporaryDirectory() as folder:
        frames_file = Path(folder) / "frames.npy"
        np.save(frames_file, np.stack(make_frames(options.picture)))
        try:
            for name in options.only or candidates():
                mine = python if name.startswith("fer:") else Path(sys.executable)
                opened.append(Candidate(name, mine, frames_file, options.core))
            for done in range(options.rounds):
                for candidate in opened:
                    candidate.turn(options.frames_per_turn)
                if sys.stderr.isatty():
                    print(f"\rround {done + 1} of {options.rounds} ", end="", file=sys.stderr)
        finally:
            for candidate in opened:
                candidate.close()
    rows = [candidate.result() for candidate in opened]
    medians = {row["name"]: row["median_ms"] for row in rows}
    for row in rows:
        if "fer:default" in medians:
            row["times_faster_than_fer"] = round(medians["fer:default"] / row["median_ms"], 2)
        floor = medians.get(row["name"].replace("analyze:", "floor:"))
        if floor is not None and row["name"].startswith("analyze:"):
            row["times_the_floor"] = round(row["median_ms"] / floor, 3)
    return {
        "benchmark": "versus_fer",
        "machine": describe_machine(),
        "picture": options.picture.name,
        "frame": [WIDTH, HEIGHT],
        "rounds": options.rounds,
        "frames_per_turn": options.frames_per_turn,
        "results": rows,
    }


def default_folder() -> Path:
    """Where the virtual environment goes."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("moodlens", appauthor=False)) / "versus-fer"


def main() -> None:
    """Set up, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path, help="a picture with one face")
    parser.add_argument("--json", type=Path, help="write the result there, too")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--frames-per-turn", type=int, default=10)
    parser.add_argument("--core", type=int, default=0, help="the processor core that all share")
    parser.add_argument("--fer", default="fer", help="as pip names it; e.g. fer==25.10.3")
    parser.add_argument("--folder", type=Path, help="of the virtual environment")
    parser.add_argument("--only", nargs="*", help="candidates, e.g. fer:default analyze:yunet")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.picture, options.core)
        return
    if not options.picture.is_file():
        parser.error(f"{options.picture}: no such picture")
    python = environment(options.folder or default_folder(), options.fer)
    result = measure(options, python)
    for row in result["results"]:
        print(
            f"{row['name']:<18} {row['median_ms']:8.2f} ms  ({row['p10_ms']:.2f} to "
            f"{row['p90_ms']:.2f})  one face on {row['one_face_share']:.0%}  "
            f"{row.get('times_faster_than_fer', '-')} times as fast as fer  "
            f"{row.get('times_the_floor', '-')} times the floor"
        )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
