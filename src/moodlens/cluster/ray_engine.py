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
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from moodlens.cluster.items import Chunk
from moodlens.cluster.work import Outcome, Work, Worker
from moodlens.errors import MoodlensError
from moodlens.ray_cluster import join, need_ray

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
                _LOADED[key] = Worker(need_ray("ray.data").get(work))
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
    ray = need_ray("ray.data", alone=address is None)
    mine = join(ray, address, workers)
    try:
        yield from _pipeline(ray, work, chunks, workers, attempts, stopped)
    finally:
        if mine:
            ray.shutdown()


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
