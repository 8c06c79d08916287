"""The Ray engine: the same chunks as a Ray Data pipeline.

Chunks are tasks, and a worker process keeps its lens from one to the next. They are not calls of
an actor pool: an actor whose node is lost waits for room to be restarted, on a full cluster for
ever, and its calls with it; a task goes to whichever core is free next.

Ray may run a task twice (a node is lost after its task ended, before the driver heard of it). That
repeats nothing: each task writes one part, in one step, under the name that its inputs give it,
so the second run replaces the first by the same bytes.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from moodlens.cluster.items import Chunk
from moodlens.cluster.work import Outcome, Work, Worker
from moodlens.errors import MissingExtraError, MoodlensError, SettingsError


def need_ray(*, alone: bool = False) -> Any:
    """The package.

    Args:
        alone: a cluster of this machine will be started.

    Raises:
        MissingExtraError: it is not installed.
    """
    if alone and "ray" not in sys.modules:
        os.environ.setdefault(ON_LOOPBACK, "0")  # read when Ray is imported
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("--engine ray", "cluster") from error
    return ray


ON_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""0: a cluster of this machine alone, whose own ports are not open to others, on Linux too."""
_LOADED: dict[str, Worker] = {}
"""Of this process, by the object that holds its `Work`: a Ray worker serves many tasks."""


def write_part(row: dict[str, Any], work: Any) -> dict[str, Any]:
    """A Ray task: writes the part of one chunk; the first in a process loads the lens.

    Args:
        row: `chunk`, a pickled `Chunk`. work: a `Work`, or a reference to one in Ray's store.

    Returns:
        `outcome`, the fields of an `Outcome`; or `problem`, why the job can't go on.
    """
    try:
        if isinstance(work, Work):
            worker = Worker(work)
        else:
            key = work.hex()
            if key not in _LOADED:
                _LOADED.clear()  # the lens of an earlier job would only take memory
                _LOADED[key] = Worker(need_ray().get(work))
            worker = _LOADED[key]
        done = worker.process(pickle.loads(row["chunk"]))  # noqa: S301 (our driver made it)
    except MoodlensError as error:
        return {"outcome": None, "problem": str(error)}
    return {"outcome": (done.name, done.items, done.failed, done.rows), "problem": None}


def run_ray(
    work: Work,
    chunks: Sequence[Chunk],
    *,
    address: str | None,
    workers: int | None,
    attempts: int,
    stopped: Callable[[], bool],
) -> Iterator[Outcome]:
    """Work on chunks on a cluster; one core a chunk, as many at once as there is work and room.

    Args:
        address: `auto`, `HOST:PORT` or `ray://…`; None: a cluster on this machine for this job.
        workers: the most chunks at once; None: as many as the cluster has cores for.
        attempts: how often a chunk is begun; one whose worker dies every time is left out.
        stopped: asked after each part; true ends the work.

    Yields:
        What was written, in the order of its end.

    Raises:
        SettingsError: there is no cluster at that address.
        MoodlensError: the model can't be used, or the output can't be written.
    """
    ray = need_ray(alone=address is None)
    mine = _connect(ray, address, workers)
    try:
        yield from _pipeline(ray, work, chunks, workers, attempts, stopped)
    finally:
        if mine:
            ray.shutdown()


def _connect(ray: Any, address: str | None, workers: int | None) -> bool:
    """Join or start a cluster; whether this job has to leave it."""
    if ray.is_initialized():
        return False
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            ray.init(num_cpus=workers, include_dashboard=False, **quiet)
        else:
            knock(address)
            ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise SettingsError(f"--address {address}: no Ray cluster there: {text}") from error
    return True


def knock(address: str) -> None:
    """Raises OSError at once where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal() and "://" not in address:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()


def _pipeline(
    ray: Any,
    work: Work,
    chunks: Sequence[Chunk],
    workers: int | None,
    attempts: int,
    stopped: Callable[[], bool],
) -> Iterator[Outcome]:
    context = ray.data.DataContext.get_current()
    before = context.max_errored_blocks, context.enable_progress_bars
    context.max_errored_blocks = -1  # what kills its workers is left out, not the end of the job
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # progress is the command's to tell
    try:
        with warnings.catch_warnings():
            # Ray calls the options of tasks deprecated, and has no other name for this one.
            warnings.simplefilter("ignore", DeprecationWarning)
            done = ray.data.from_items(
                [{"chunk": pickle.dumps(chunk)} for chunk in chunks],
                override_num_blocks=len(chunks),
            ).map(
                write_part,
                fn_kwargs={"work": ray.put(work)},
                compute=ray.data.TaskPoolStrategy(workers),
                num_cpus=1,
                max_retries=attempts - 1,
            )
        for row in done.iter_rows():
            if row["problem"] is not None:
                raise MoodlensError(row["problem"])
            name, items, failed, rows = row["outcome"]
            yield Outcome(name, int(items), int(failed), int(rows))
            if stopped():
                return
    finally:
        context.max_errored_blocks, context.enable_progress_bars = before
