"""How fast `moodlens batch` is: its engines against the sum of what each core does alone.

    python benchmarks/batch_speed.py --pictures 2000 --json batch.json

Pictures are made by code: the packaged average faces on plain backgrounds, 640x480 JPEG.
Start-up (loading networks, starting Ray) is left out: the clock runs from the first part that
is done to the last, and counts the inputs of all parts but the first of each worker.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import moodlens
from moodlens.cluster.items import Chunk, Item, plan
from moodlens.cluster.job import ATTEMPTS, BatchOptions, make_work
from moodlens.cluster.local import run_local
from moodlens.cluster.parts import Parts
from moodlens.cluster.work import Outcome, Work, Worker

SAMPLES = Path(moodlens.__file__).parent / "webapp" / "samples"
WIDTH, HEIGHT, FACE = 640, 480, 200


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one way: pictures a second, after start-up; seconds with it."""

    way: str
    workers: int
    pictures_per_s: float
    whole_s: float


def make_pictures(folder: Path, n: int) -> list[Item]:
    """So many JPEG files with one face each, all different."""
    chance = np.random.default_rng(7)
    faces = [
        cv2.resize(cv2.imread(str(SAMPLES / f"average-{e}.png")), (FACE, FACE))
        for e in ("happy", "surprise")
    ]
    items: list[Item] = []
    for number in range(n):
        scene = np.full((HEIGHT, WIDTH, 3), chance.integers(60, 200, 3), np.uint8)
        x, y = int(chance.integers(WIDTH - FACE)), int(chance.integers(HEIGHT - FACE))
        scene[y : y + FACE, x : x + FACE] = faces[number % 2]
        path = folder / f"{number:07}.jpg"
        cv2.imwrite(str(path), scene)
        items.append(Item(str(path), "made"))
    return items


def alone(work: Work, chunks: list[Chunk], answers: Any, gate: Any) -> None:
    """One process, no engine: pictures a second after a first chunk for warming up."""
    worker = Worker(work)
    worker.process(chunks[0])
    gate.wait()
    started = time.perf_counter()
    n = sum(worker.process(chunk).items for chunk in chunks)
    answers.put(n / (time.perf_counter() - started))


def single_cores(work: Work, chunks: list[Chunk], workers: int, *, together: bool) -> list[float]:
    """What each core does: one after the other, or all at the same time."""
    context = get_context("spawn")
    speeds: list[float] = []
    for _ in range(1 if together else workers):
        count = workers if together else 1
        answers, gate = context.Queue(), context.Barrier(count)
        processes = [
            context.Process(target=alone, args=(work, chunks[i::count], answers, gate))
            for i in range(count)
        ]
        for process in processes:
            process.start()
        speeds += [answers.get(timeout=3600) for _ in processes]
        for process in processes:
            process.join()
    return speeds


def engine(way: str, outcomes: Any, workers: int, pictures: int) -> Speed:
    """Speed of an engine between its first parts (one a worker) and its last."""
    started = time.perf_counter()
    first, counted, done = 0.0, 0, 0
    for number, outcome in enumerate(outcomes, start=1):
        assert isinstance(outcome, Outcome)
        assert not outcome.failed
        done += outcome.items
        if number <= workers:
            first = time.perf_counter()
        else:
            counted += outcome.items
    ended = time.perf_counter()
    assert done == pictures, "an engine lost pictures"
    return Speed(way, workers, counted / max(ended - first, 1e-9), ended - started)


def fresh(work: Work, folder: Path, name: str) -> Work:
    """The same work with an empty output folder."""
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return replace(work, folder=str(place))


def measure(pictures: int, chunk: int, workers: int, *, with_ray: bool) -> list[Speed]:
    """All ways, in order."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "in").mkdir()
        chunks = plan(make_pictures(folder / "in", pictures), chunk)
        options = BatchOptions(workers=workers, engine="ray" if with_ray else "local")
        work = make_work(str(folder), options)
        some = chunks[: max(workers * 2, len(chunks) // 4)]
        found: list[Speed] = []
        for way, together in (("cores, one at a time", False), ("cores, together", True)):
            started = time.perf_counter()
            speeds = single_cores(fresh(work, folder, "alone"), some, workers, together=together)
            found.append(Speed(way, workers, sum(speeds), time.perf_counter() - started))
            print(found[-1], flush=True)
        never = {"stopped": lambda: False, "attempts": ATTEMPTS}
        ours = fresh(work, folder, "local")
        outcomes: Any = run_local(ours, chunks, workers=workers, tick=lambda _: None, **never)
        found.append(engine("local engine", outcomes, workers, pictures))
        print(found[-1], flush=True)
        if with_ray:
            from moodlens.cluster.ray_engine import run_ray

            theirs = fresh(work, folder, "ray")
            outcomes = run_ray(theirs, chunks, address=None, workers=workers, **never)
            found.append(engine("ray engine", outcomes, workers, pictures))
            same(ours, theirs)
        return found


def same(ours: Work, theirs: Work) -> None:
    """Both engines wrote the same parts, to the byte."""
    for name in Parts(ours.folder, ours.job).names():
        a, b = Path(ours.folder, name), Path(theirs.folder, name)
        assert a.read_bytes() == b.read_bytes(), f"{name} differs between the engines"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--chunk", type=int, default=256)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-ray", action="store_true", help="the local engine alone")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    asked = parser.parse_args()
    if asked.pictures < asked.chunk * asked.workers * 2:
        parser.error("too few pictures: at least two chunks a worker are needed")
    found = measure(asked.pictures, asked.chunk, asked.workers, with_ray=not asked.no_ray)
    speeds = {speed.way: speed.pictures_per_s for speed in found}
    base = speeds["cores, one at a time"]
    print(f"{'way':<22}{'pictures/s':>12}{'of the cores':>14}{'whole, s':>10}")
    for speed in found:
        share = speed.pictures_per_s / base
        print(f"{speed.way:<22}{speed.pictures_per_s:>12.1f}{share:>14.2f}{speed.whole_s:>10.1f}")
    if "ray engine" in speeds:
        print(f"ray against local: {speeds['ray engine'] / speeds['local engine']:.2f}")
    if asked.json:
        text = json.dumps(
            {
                "pictures": asked.pictures,
                "chunk": asked.chunk,
                "ways": [asdict(speed) for speed in found],
            },
            indent=2,
        )
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
