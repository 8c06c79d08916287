"""The Ray engine: the same chunks as a Ray Data pipeline.

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
from moodlens.errors import MissingExtraError, MoodlensError, SettingsError


def need_ray() -> Any:
    """The package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("--engine ray", "cluster") from error
    return ray


class ChunkActor:
    """A Ray actor: loads the lens once, then writes a part a call."""

    def __init__(self, work: Any) -> None:
        """`work`: a `Work` with the model's bytes, or a reference to one in Ray's store."""
        self._problem: str | None = None
        try:
            given = work if isinstance(work, Work) else need_ray().get(work)
            self._worker = Worker(given)
        except MoodlensError as error:  # told by the first call: a dead actor is only restarted
            self._problem = str(error)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        if self._problem is not None:
            return {"outcome": None, "problem": self._problem}
        try:
            done = self._worker.process(pickle.loads(row["chunk"]))  # noqa: S301 (our driver made it)
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
    """Work on chunks on a cluster; one core an actor, as many actors as there is work and room.

    Args:
        address: `auto`, `HOST:PORT` or `ray://…`; None: a cluster on this machine for this job.
        workers: the most actors; None: as many as the cluster gives.
        attempts: how often a chunk is begun; one whose actor dies every time is left out.
        stopped: asked after each part; true ends the work.

    Yields:
        What was written, in the order of its end.

    Raises:
        SettingsError: there is no cluster at that address.
        MoodlensError: the model can't be used, or the output can't be written.
    """
    ray = need_ray()
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
            ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise SettingsError(f"--address {address}: no Ray cluster there: {text}") from error
    return True


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
    context.max_errored_blocks = -1  # what kills its actors is left out, not the end of the job
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # progress is the command's to tell
    try:
        most = min(len(chunks), workers or len(chunks))
        with warnings.catch_warnings():
            # Ray calls its actors' own options deprecated, and has no other name for this one.
            warnings.simplefilter("ignore", DeprecationWarning)
            done = ray.data.from_items(
                [{"chunk": pickle.dumps(chunk)} for chunk in chunks],
                override_num_blocks=len(chunks),
            ).map(
                ChunkActor,
                fn_constructor_args=(ray.put(work),),
                compute=ray.data.ActorPoolStrategy(
                    min_size=1, max_size=most, max_tasks_in_flight_per_actor=2
                ),
                num_cpus=1,
                max_task_retries=attempts - 1,
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
