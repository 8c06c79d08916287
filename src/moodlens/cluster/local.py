"""The local engine: a process a core; one that dies is replaced and its chunk handed back."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from moodlens.cluster.items import Chunk
from moodlens.cluster.work import Outcome, Work, Worker
from moodlens.errors import MoodlensError

DEATHS_AT_START = 3
"""Workers that die in a row before they are ready, after which the job ends."""
LOOK_EVERY_S = 0.2
"""How often a wish to stop is looked for."""


@dataclass(slots=True)
class _Hand:
    """One process, the pipe to it, and the chunk it works on."""

    process: SpawnProcess
    pipe: Connection
    ready: bool = False
    chunk: Chunk | None = None
    ticks: int = 0


def run_local(
    work: Work,
    chunks: Sequence[Chunk],
    *,
    workers: int,
    attempts: int,
    tick: Callable[[int], None],
    stopped: Callable[[], bool],
) -> Iterator[Outcome]:
    """Work on chunks with so many processes.

    Args:
        attempts: how often a chunk is begun; one that kills its worker every time is left out.
        tick: called with 1 after each input, with less than 0 when a worker dies and what it
            did of its chunk is to be done again.
        stopped: asked a few times a second; true ends the work.

    Yields:
        What was written, in the order of its end.

    Raises:
        MoodlensError: the model can't be used, the output can't be written, or workers die
            before they are ready.
    """
    waiting = deque((chunk, 1) for chunk in chunks)
    begun: dict[str, int] = {}
    hands: list[_Hand] = []
    deaths = 0
    try:
        while not stopped():
            busy = sum(hand.chunk is not None for hand in hands)
            if not waiting and not busy:
                return
            while len(hands) < min(workers, len(waiting) + busy):
                hands.append(_start(work))
            for hand in hands:
                if hand.ready and hand.chunk is None and waiting:
                    chunk, begun[chunk.name] = waiting.popleft()
                    _send(hand, chunk)
            ends: list[Any] = [hand.pipe for hand in hands]
            ready = set(wait(ends, timeout=LOOK_EVERY_S))
            for hand in [hand for hand in hands if hand.pipe in ready]:
                try:
                    kind, value = hand.pipe.recv()
                except (EOFError, OSError):  # it died: the other end of the pipe is closed
                    hands.remove(hand)
                    _end(hand)
                    deaths = 0 if hand.ready else deaths + 1
                    if deaths == DEATHS_AT_START:
                        raise MoodlensError(
                            "the workers die as soon as they start (exit status "
                            f"{hand.process.exitcode}); is there enough memory for --workers?"
                        ) from None
                    if hand.ticks:
                        tick(-hand.ticks)
                    if hand.chunk is not None and begun[hand.chunk.name] < attempts:
                        waiting.append((hand.chunk, begun[hand.chunk.name] + 1))
                    continue
                if kind == "error":
                    raise MoodlensError(value)
                if kind == "ready":
                    hand.ready, deaths = True, 0
                elif kind == "tick":
                    hand.ticks += 1
                    tick(1)
                else:
                    hand.chunk, hand.ticks = None, 0
                    yield value
    finally:
        for hand in hands:
            _end(hand)


def _start(work: Work) -> _Hand:
    context = multiprocessing.get_context("spawn")  # a fork would copy threads' locks
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs), daemon=True)
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is for us
        try:
            process.start()
        finally:
            signal.signal(signal.SIGINT, before)
    else:
        process.start()
    theirs.close()
    return _Hand(process, ours)


def _send(hand: _Hand, chunk: Chunk) -> None:
    hand.chunk = chunk
    try:
        hand.pipe.send(chunk)
    except OSError:  # it has died; the next look at its pipe finds that out
        return


def _end(hand: _Hand) -> None:
    hand.pipe.close()
    hand.process.terminate()  # parts are written whole or not at all, so any moment will do
    hand.process.join(5)
    if hand.process.is_alive():
        hand.process.kill()
        hand.process.join()


def _serve(work: Work, pipe: Connection) -> None:
    """The life of a worker process; it ends when the pipe's other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    try:
        worker = Worker(work)
        pipe.send(("ready", None))
        while True:
            chunk = pipe.recv()
            pipe.send(("done", worker.process(chunk, lambda: pipe.send(("tick", None)))))
    except MoodlensError as error:
        pipe.send(("error", str(error)))
    except (EOFError, OSError):
        return
