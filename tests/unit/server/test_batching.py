"""Callers share calls of the network; each gets its own answer, and every one gets one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from moodlens.artifacts import resolve_model
from moodlens.recognition.classifier import Classifier
from moodlens.server.batching import BatchingClassifier

TINY = resolve_model("moodlens-tiny")


def crops(count: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), dtype=np.uint8)


def test_answers_are_those_of_the_plain_classifier_whoever_else_asks() -> None:
    plain, shared = Classifier(TINY), BatchingClassifier(TINY)
    asked = [crops(1 + i % 3, i) for i in range(60)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(shared.classify, asked))
    for own, said in zip(asked, found, strict=True):
        np.testing.assert_allclose(said, plain.classify(own), atol=1e-5)


def test_who_is_on_the_way_is_waited_for() -> None:
    sizes: list[int] = []
    shared = BatchingClassifier(TINY, wait_s=5.0, told=sizes.append)
    here = threading.Barrier(2)

    def late() -> None:
        with shared.coming():
            here.wait(5)
            shared.classify(crops(2, 1))

    other = threading.Thread(target=late)
    other.start()
    here.wait(5)
    shared.classify(crops(1, 0))
    other.join(5)
    assert sizes in ([3], [2, 1])  # the late one may have led and gone when the first one asks
    assert sum(sizes) == 3


def test_nobody_on_the_way_is_not_waited_for() -> None:
    shared = BatchingClassifier(TINY, wait_s=3600.0)
    with shared.coming():
        pass
    assert shared.classify(crops(1, 0)).shape == (1, 7)


def test_callers_gather_while_the_network_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    shared = BatchingClassifier(TINY, most=4, told=sizes.append)
    busy, entered = threading.Event(), threading.Event()
    plain = Classifier.classify

    def slow(self: Classifier, given: NDArray[np.uint8]) -> NDArray[np.float32]:
        if not entered.is_set():
            entered.set()
            assert busy.wait(5)
        return plain(self, given)

    monkeypatch.setattr(Classifier, "classify", slow)
    with ThreadPoolExecutor(7) as pool:
        first = pool.submit(shared.classify, crops(1, 0))
        assert entered.wait(5)
        rest = [pool.submit(shared.classify, crops(1, i)) for i in range(1, 7)]
        while len(shared._gathered) < 6:
            threading.Event().wait(0.01)
        busy.set()
        assert all(len(found.result(5)) == 1 for found in [first, *rest])
    assert sizes == [1, 4, 2]  # at most four at a time


def test_a_failure_reaches_every_caller_and_the_next_call_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = BatchingClassifier(TINY)
    with monkeypatch.context() as patch:

        def broken(self: Classifier, given: NDArray[np.uint8]) -> NDArray[np.float32]:
            raise MemoryError("no room")

        patch.setattr(Classifier, "classify", broken)
        with pytest.raises(MemoryError, match="no room"):
            shared.classify(crops(1, 0))
    assert shared.classify(crops(2, 0)).shape == (2, 7)


def test_no_face_asks_nobody() -> None:
    assert BatchingClassifier(TINY, wait_s=3600.0).classify(crops(0, 0)).shape == (0, 7)
