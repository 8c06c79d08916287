"""`moodlens batch`: folders, tables and buckets of pictures into Parquet."""

from __future__ import annotations

import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

from moodlens.cli.stopping import EXIT_STOPPED, stop_on_interrupt

if TYPE_CHECKING:
    from moodlens.cluster.job import Summary

command = typer.Typer(add_completion=False)


class Engine(StrEnum):
    """Who does the work."""

    local = "local"
    ray = "ray"


@command.command(
    epilog="Examples: moodlens batch photos/ faces/   |   "
    "moodlens batch 'shoot/**/*.jpg' faces/ --workers 8   |   "
    "moodlens batch s3://bucket/photos s3://bucket/faces --engine ray --address auto"
)
def batch(
    source: str = typer.Argument(
        metavar="INPUT", help="A folder, glob, file, Parquet of bytes or paths, or s3://…"
    ),
    output: str = typer.Argument(help="Folder (or s3://…) for the Parquet parts."),
    engine: Engine = typer.Option(Engine.local, help="This machine's cores, or a Ray cluster."),
    address: str | None = typer.Option(
        None, help="Of the Ray cluster: auto or HOST:PORT; without it one is started here."
    ),
    workers: int | None = typer.Option(None, min=1, help="Processes; default: one a core."),
    chunk: int = typer.Option(256, min=1, max=100_000, help="Inputs a Parquet part."),
    model: str | None = typer.Option(None, help="A model SPEC; see 'moodlens models'."),
    detector: str | None = typer.Option(None, help="auto, moodlens, yunet or haar."),
    min_face: float = typer.Option(24.0, min=8, help="Smallest face looked for, in pixels."),
    frames_every: int = typer.Option(1, min=1, help="Of videos, every how many-th frame."),
    thorough: bool = typer.Option(False, help="Find more small faces, at three times the cost."),
    retry_failed: bool = typer.Option(False, help="Try again what ended in an error before."),
) -> None:
    """Analyse many pictures and videos; a rerun does only what is missing."""
    from moodlens.cluster.job import BatchOptions, run_batch

    options = BatchOptions(
        model=model,
        detector=detector,
        min_face_px=min_face,
        frames_every=frames_every,
        thorough=thorough,
        engine=engine.value,
        address=address,
        workers=workers,
        chunk=chunk,
        retry_failed=retry_failed,
    )
    with stop_on_interrupt() as stop, Bar(stop) as bar:
        summary = run_batch(source, output, options, bar)
    typer.echo(_sentence(summary, output))
    if stop.is_set():
        typer.echo("moodlens: stopped; run it again to do the rest", err=True)
        raise typer.Exit(EXIT_STOPPED)
    if summary.failed:
        failed = "1 input" if summary.failed == 1 else f"{summary.failed} inputs"
        typer.echo(f"moodlens: {failed} of these failed; see the column 'error'", err=True)
        raise typer.Exit(1)


def _sentence(summary: Summary, output: str) -> str:
    text = f"{summary.done} of {summary.inputs} inputs done, {summary.rows} rows into {output}"
    if summary.skipped:
        text += f"; {summary.skipped} were there already"
    return text


class Bar:
    """Files done, speed and time left, on standard error; a context manager."""

    def __init__(self, stop: threading.Event) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Left

        self._stop = stop
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            Left(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = None

    def start(self, total: int, skipped: int) -> None:
        """So many inputs are to be done; `skipped` are there already."""
        name = "batch" if not skipped else f"batch ({skipped} there already)"
        self._task = self._progress.add_task(name, total=total, speed="")

    def tick(self, inputs: int) -> None:
        """So many more inputs were done."""
        self._progress.update(self._task, advance=inputs)
        speed = self._progress.tasks[0].speed
        self._progress.update(self._task, speed="" if speed is None else f"{speed:.0f} files/s")

    def stopped(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._stop.is_set()

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
