"""Faces of requests that come at the same time go through the network together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodlens.recognition.classifier import Classifier

Answer = Future[NDArray[np.float32]]


class BatchingClassifier(Classifier):
    """A classifier whose callers share calls of the network.

    A call waits at most `wait_s` for others, and not at all when nobody else is on the way: who
    looks for faces first says so with `coming`. The probabilities of a face are those of
    `Classifier`; a batch of another size may change their last digits.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        threads: int = 1,
        most: int = 32,
        wait_s: float = 0.002,
        told: Callable[[int], None] | None = None,
        waited: Callable[[float], None] | None = None,
    ) -> None:
        """Open the model and start the one thread that calls it.

        Args:
            path: see `Classifier`.
            threads: of one call of the network.
            most: faces in one call; a picture with more is one call of its own.
            wait_s: the longest wait for others.
            told: of the size of every batch.
            waited: told how long every call took, in seconds.
        """
        super().__init__(path, threads=threads)
        self._most = most
        self._wait_s = wait_s
        self._told = told or (lambda _faces: None)
        self._waited = waited or (lambda _seconds: None)
        self._own = threading.local()
        self._waiting: deque[tuple[NDArray[np.uint8], Answer]] = deque()
        self._coming = 0
        self._closed = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="batches", daemon=True)
        self._thread.start()

    @contextmanager
    def coming(self) -> Iterator[None]:
        """This thread may call `classify` within the block: others may wait for it until then."""
        self._own.coming = True
        with self._change:
            self._coming += 1
        try:
            yield
        finally:
            with self._change:
                self._arrived()

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `Classifier.classify`; blocks until the shared call is done."""
        if len(crops) == 0:
            return super().classify(crops)
        started = time.perf_counter()
        found = self._alone(crops) if self._most == 1 else self._with_others(crops)
        self._waited(time.perf_counter() - started)
        return found

    def _alone(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._told(len(crops))
        return super().classify(crops)

    def _with_others(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        answer: Answer = Future()
        with self._change:
            self._arrived()
            closed = self._closed
            if not closed:
                self._waiting.append((crops, answer))
                self._change.notify_all()
        return self._alone(crops) if closed else answer.result()

    def _arrived(self) -> None:
        """This thread is no longer on the way."""
        if getattr(self._own, "coming", False):
            self._own.coming = False
            self._coming -= 1
            self._change.notify_all()

    def close(self) -> None:
        """Answer who waits, then end the thread; later callers go to the network themselves."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join()

    def _serve(self) -> None:
        while taken := self._take():
            crops = np.concatenate([part for part, _ in taken])
            try:
                found = super().classify(crops)
            except Exception as error:  # every caller must hear of it, or it would wait for ever
                for _, answer in taken:
                    answer.set_exception(error)
                continue
            self._told(len(crops))
            start = 0
            for part, answer in taken:
                answer.set_result(found[start : start + len(part)])
                start += len(part)

    def _take(self) -> list[tuple[NDArray[np.uint8], Answer]]:
        """The next batch; empty when closed and nobody waits."""
        with self._change:
            while not self._waiting and not self._closed:
                self._change.wait()
            until = time.monotonic() + self._wait_s
            while (
                self._waiting
                and not self._closed
                and self._coming > 0
                and sum(len(part) for part, _ in self._waiting) < self._most
                and (left := until - time.monotonic()) > 0
            ):
                self._change.wait(left)
            taken: list[tuple[NDArray[np.uint8], Answer]] = []
            faces = 0
            while self._waiting and (not taken or faces + len(self._waiting[0][0]) <= self._most):
                part = self._waiting.popleft()
                faces += len(part[0])
                taken.append(part)
            return taken
