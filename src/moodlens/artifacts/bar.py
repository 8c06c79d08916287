"""The progress bar of a download: bytes, speed, time left, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[int, int | None], None]


@contextmanager
def shown(progress: Progress | None) -> Iterator[Progress | None]:
    """The caller's own progress, else a bar where standard error is a terminal, else none."""
    if progress is not None or not sys.stderr.isatty():
        yield progress
        return
    bar, task = _bar()
    with bar:
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _bar() -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    return bar, bar.add_task("fetching the model", total=None)
