"""The batch job: what is missing is found, worked on by an engine, and counted."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from moodlens.artifacts import resolve_model
from moodlens.cluster.inputs import find_items
from moodlens.cluster.items import Chunk, plan
from moodlens.cluster.local import run_local
from moodlens.cluster.parts import Parts
from moodlens.cluster.rows import arrow
from moodlens.cluster.work import Work
from moodlens.errors import InputError, SettingsError
from moodlens.ray_cluster import need_ray
from moodlens.settings import settings

SCHEMA_VERSION = 1
ATTEMPTS = 2
"""How often a chunk is begun before it is split, and a single input before it is given up."""
GAVE_UP = "the worker died each time on this input (out of memory, or a fault in a decoder)"


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Choices of a run; the ones that change rows are in `Work`.

    Attributes:
        engine: local or ray. address: of the Ray cluster; None: one on this machine.
        workers: processes or most actors; None: the cores.
        chunk: inputs a part. retry_failed: try inputs again whose row is an error.
    """

    model: str | None = None
    detector: str | None = None
    min_face_px: float = 24.0
    frames_every: int = 1
    thorough: bool = False
    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    workers: int | None = None
    chunk: int = 256
    retry_failed: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """Of a run: inputs, those whose rows were there, done now, failed now, rows written now."""

    inputs: int
    skipped: int
    done: int = 0
    failed: int = 0
    rows: int = 0


class Watcher(Protocol):
    """Who is told how far a run is, and says whether it shall stop."""

    def start(self, total: int, skipped: int) -> None: ...

    def tick(self, inputs: int) -> None: ...

    def stopped(self) -> bool: ...


class Silent:
    """A watcher for runs that nobody watches."""

    def start(self, total: int, skipped: int) -> None:
        """Nobody is told."""

    def tick(self, inputs: int) -> None:
        """Nobody is told."""

    def stopped(self) -> bool:
        return False


def run_batch(
    source: str, folder: str, options: BatchOptions | None = None, watcher: Watcher | None = None
) -> Summary:
    """Analyse everything that `source` names into Parquet parts in `folder`.

    Inputs whose rows are there are not looked at again; see `Parts.done`.

    Raises:
        MoodlensError: INPUT, OUTPUT, the model or an option can't be used.
    """
    options, watcher = options or BatchOptions(), watcher or Silent()
    arrow()
    if options.engine == "ray":
        need_ray("ray.data", alone=options.address is None)
    elif options.address is not None:
        raise SettingsError("--address is for --engine ray")
    work = make_work(folder, options)
    parts = Parts(work.folder, work.job)
    items = find_items(source, leave_out=folder)
    with parts.alone():
        there = parts.done(items, again=options.retry_failed)
        missing = [item for item in items if item.key not in there]
        watcher.start(len(missing), len(items) - len(missing))
        summary = Summary(len(items), len(items) - len(missing))
        shown = _Shown(watcher)
        chunks = plan(missing, options.chunk)
        while chunks and not watcher.stopped():
            summary, left = _round(work, chunks, options, shown, summary)
            chunks = []
            for chunk in [] if watcher.stopped() else left:
                if len(chunk.items) > 1:
                    chunks += chunk.split()
                else:
                    item = chunk.items[0]
                    parts.give_up(item, f"{item.source}: {GAVE_UP}")
                    shown.add(1)
                    summary = _add(summary, 1, 1, 1)
    return summary


def _add(summary: Summary, done: int, failed: int, rows: int) -> Summary:
    return replace(
        summary,
        done=summary.done + done,
        failed=summary.failed + failed,
        rows=summary.rows + rows,
    )


def _round(
    work: Work, chunks: list[Chunk], options: BatchOptions, shown: _Shown, summary: Summary
) -> tuple[Summary, list[Chunk]]:
    """Give all chunks to the engine; those that it could not finish are left."""
    left = {chunk.name: chunk for chunk in chunks}
    if options.engine == "ray":
        from moodlens.cluster.ray_engine import run_ray

        outcomes = run_ray(
            work,
            chunks,
            address=options.address,
            workers=options.workers,
            attempts=ATTEMPTS,
            stopped=shown.stopped,
        )
    else:
        outcomes = run_local(
            work,
            chunks,
            workers=options.workers or os.cpu_count() or 1,
            attempts=ATTEMPTS,
            tick=shown.add,
            stopped=shown.stopped,
        )
    for outcome in outcomes:
        if left.pop(outcome.name, None) is None:
            continue
        summary = _add(summary, outcome.items, outcome.failed, outcome.rows)
        shown.at_least(summary.done)
    return summary, list(left.values())


class _Shown:
    """What the watcher was told so far, over all rounds."""

    def __init__(self, watcher: Watcher) -> None:
        self.stopped = watcher.stopped
        self._tick = watcher.tick
        self._told = 0

    def add(self, inputs: int) -> None:
        """So many more; fewer when a worker died with a part of its chunk done."""
        self._told += inputs
        self._tick(inputs)

    def at_least(self, done: int) -> None:
        """After a part: engines that don't tell of single inputs are shown by their parts."""
        if done > self._told:
            self.add(done - self._told)


def make_work(folder: str, options: BatchOptions) -> Work:
    """What workers must know; the model is fetched here, once.

    Raises:
        MoodlensError: the model can't be had.
    """
    configured = settings()
    spec = options.model if options.model is not None else configured.model
    path = resolve_model(spec)
    detector = options.detector or configured.detector
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    job = {
        "schema": SCHEMA_VERSION,
        "model": hashlib.sha256(data).hexdigest(),
        "detector": detector,
        "min_face": float(options.min_face_px),
        "frames_every": options.frames_every,
        "thorough": options.thorough,
    }
    return Work(
        folder=folder.rstrip("/") or folder,
        job=json.dumps(job, sort_keys=True),
        model=str(path),
        detector=detector,
        min_face_px=options.min_face_px,
        frames_every=options.frames_every,
        thorough=options.thorough,
        model_bytes=data if options.engine == "ray" else None,
    )
