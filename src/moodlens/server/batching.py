"""Faces of requests that come at the same time go through the network together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodlens.recognition.classifier import Classifier

Answer = Future[NDArray[np.float32]]
Part = tuple[NDArray[np.uint8], Answer]


class BatchingClassifier(Classifier):
    """A classifier whose callers share calls of the network.

    Of the callers that come together the first leads: it waits until one of the `calls` that may
    run at once is free, and at most `wait_s` for those who are on their way, then calls the network
    for all and hands out the answers. Nobody on the way, nobody to wait for: who looks for faces
    first says so with `coming`. The probabilities of a face are those of `Classifier`; a batch of
    another size may change their last digits.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        threads: int = 1,
        most: int = 32,
        wait_s: float = 0.0,
        calls: int = 1,
        told: Callable[[int], None] | None = None,
        waited: Callable[[float], None] | None = None,
    ) -> None:
        """Open the model.

        Args:
            path: see `Classifier`.
            threads: of one call of the network.
            most: faces in one call; a picture with more is one call of its own. 1: no batching.
            wait_s: the longest wait for others while a call could run.
            calls: of the network that may run at once.
            told: of the size of every batch.
            waited: told how long every call took, in seconds.
        """
        super().__init__(path, threads=threads)
        self._most = most
        self._wait_s = wait_s
        self._free = calls
        self._told = told or (lambda _faces: None)
        self._waited = waited or (lambda _seconds: None)
        self._own = threading.local()
        self._gathered: list[Part] = []
        self._led = False
        self._coming = 0
        self._change = threading.Condition()

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
        answer: Answer = Future()
        taken: list[Part] = []
        with self._change:
            self._arrived()
            self._gathered.append((crops, answer))
            self._change.notify_all()
            if not self._led:
                taken = self._lead()
        if taken:
            self._call(taken)
        found = answer.result()
        self._waited(time.perf_counter() - started)
        return found

    def _lead(self) -> list[Part]:
        """Wait for others, then take what has gathered; the lock is held but while it waits."""
        self._led = True
        while self._free == 0:
            self._change.wait()
        self._free -= 1
        until = time.monotonic() + self._wait_s
        while (
            self._coming > 0
            and sum(len(part) for part, _ in self._gathered) < self._most
            and (left := until - time.monotonic()) > 0
        ):
            self._change.wait(left)
        taken, self._gathered = self._gathered, []
        self._led = False
        return taken

    def _call(self, taken: list[Part]) -> None:
        """The network, for the faces of all, at most `most` at a time."""
        try:
            while taken:
                faces = np.cumsum([len(part) for part, _ in taken])
                fit = max(1, int((faces <= self._most).sum()))
                self._call_once(taken[:fit])
                taken = taken[fit:]
        finally:
            with self._change:
                self._free += 1
                self._change.notify_all()

    def _call_once(self, parts: list[Part]) -> None:
        """One call; every caller hears of a failure."""
        try:
            crops = np.concatenate([crops for crops, _ in parts])
            found = super().classify(crops)
        except Exception as error:
            for _, answer in parts:
                answer.set_exception(error)
            return
        start = 0
        for part, answer in parts:
            answer.set_result(found[start : start + len(part)])
            start += len(part)
        self._told(len(crops))

    def _arrived(self) -> None:
        """This thread is no longer on the way."""
        if getattr(self._own, "coming", False):
            self._own.coming = False
            self._coming -= 1
            self._change.notify_all()
