"""Work on the next items while the last one is being used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.1


class _End:
    """Put last; carries what ended the items early."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def read_ahead(items: Iterable[T], slots: int = 4) -> Iterator[Iterator[T]]:
    """Iterate on a thread of its own, a few items ahead.

    The thread has ended when the `with` block is left, so what the items read from can be
    closed. An error of theirs is raised where the item would have come.

    Args:
        items: used by that thread alone.
        slots: how many items may wait.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(maxsize=slots)
    stopped = threading.Event()

    def put(item: T | _End) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    break
        except BaseException as raised:  # handed to the reader, whatever it is
            error = raised
        put(_End(error))

    thread = threading.Thread(target=work, name="moodlens-ahead", daemon=True)
    thread.start()
    try:
        yield _taken(waiting)
    finally:
        stopped.set()
        thread.join()


def _taken(waiting: queue.Queue[T | _End]) -> Iterator[T]:
    while True:
        item = waiting.get()
        if isinstance(item, _End):
            if item.error is not None:
                raise item.error
            return
        yield item
