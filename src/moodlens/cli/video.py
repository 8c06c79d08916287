"""`moodlens video`: apparent emotions over the length of video files."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from moodlens.cli.stopping import EXIT_STOPPED, stop_on_interrupt
from moodlens.errors import InputError, MoodlensError, SettingsError

if TYPE_CHECKING:
    from moodlens.imaging.summary import Summary
    from moodlens.imaging.timeline import TimelineWriter
    from moodlens.imaging.video_out import VideoWriter
    from moodlens.lens import Lens
    from moodlens.tracking import StreamOptions
    from moodlens.types import Analysis

command = typer.Typer(add_completion=False)


class TimelineKind(StrEnum):
    """File format of the timeline."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


class SummaryKind(StrEnum):
    """How the summary is written to standard output."""

    table = "table"
    json = "json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to make of each video."""

    folder: Path | None
    annotate: bool
    timeline: TimelineKind | None
    plot: bool


@command.command(
    epilog="Examples: moodlens video talk.mp4   |   "
    "moodlens video talk.mp4 --annotate --timeline csv --output out/   |   "
    "moodlens video *.mp4 --summary json > summaries.json"
)
def video(
    files: list[Path] = typer.Argument(metavar="FILE...", help="Video files."),
    output: Path | None = typer.Option(
        None, help="Folder for files; with it the summary (JSON) and the plot (PNG) go there too."
    ),
    annotate: bool = typer.Option(False, help="Write the video with boxes and labels, and sound."),
    timeline: TimelineKind | None = typer.Option(
        None, help="Write one row a face a frame in this format."
    ),
    plot: bool = typer.Option(True, help="Write the picture of the timeline to --output."),
    summary: SummaryKind = typer.Option(SummaryKind.table, help="Of the summary printed."),
    detector: str | None = typer.Option(None, help="auto, moodlens, yunet or haar."),
    model: str | None = typer.Option(None, help="A model SPEC; see 'moodlens models'."),
    min_face: float = typer.Option(24.0, min=8, help="Smallest face looked for, in pixels."),
    min_quality: float = typer.Option(0.2, min=0, max=1, help="Below it a face is uncertain."),
    baseline: float | None = typer.Option(
        None, help="Take this many first seconds as each person's neutral face."
    ),
) -> None:
    """Follow the faces of videos: labels over time, a summary, an annotated copy."""
    if (annotate or timeline) and output is None:
        raise SettingsError("--annotate and --timeline need a folder to write to: add --output DIR")
    from moodlens.lens import Lens
    from moodlens.tracking import StreamOptions

    wanted = Wanted(output, annotate, timeline, plot)
    options = StreamOptions(baseline_s=baseline, faces_at_once=None)  # no hurry: every face
    if output is not None:
        _make_folder(output)
    lens = Lens(model=model, detector=detector, min_face_px=min_face, min_quality=min_quality)
    summaries: list[dict[str, Any]] = []
    failed = False
    with stop_on_interrupt() as stop:
        for file in files:
            job = _Job(lens, file, wanted, options)
            job.run(stop)
            failed = failed or job.failed
            if job.frames:
                summaries.append(job.summary_dict())
            if stop.is_set():
                break
    _print(summaries, summary)
    if stop.is_set():
        typer.echo("moodlens: stopped; what was analysed is kept", err=True)
        raise typer.Exit(EXIT_STOPPED)
    if failed:
        raise typer.Exit(1)


class _Job:
    """One video on its way through the lens and into the files."""

    def __init__(self, lens: Lens, file: Path, wanted: Wanted, options: StreamOptions) -> None:
        self._lens = lens
        self._file = file
        self._wanted = wanted
        self._options = options
        self._skipped = 0
        self._took_s = 0.0
        self._written: dict[str, str] = {}
        self._summary: Summary | None = None
        self.failed = False

    @property
    def frames(self) -> int:
        """How many were analysed."""
        return 0 if self._summary is None else self._summary.frames

    def run(self, stop: threading.Event) -> None:
        """Analyse the file; what goes wrong is told in a line and leaves `failed` set."""
        started = time.monotonic()
        try:
            with ExitStack() as stack:
                self._run(stop, stack)
        except MoodlensError as error:
            self._tell(error)
        self._took_s = time.monotonic() - started
        if self._skipped:
            self.failed = True
            typer.echo(f"moodlens: {self._file}: {self._skipped} damaged frames skipped", err=True)
        if self.frames and self._wanted.folder is not None:
            self._write_summary(self._wanted.folder)

    def _run(self, stop: threading.Event, stack: ExitStack) -> None:
        from moodlens.imaging.sources import open_source
        from moodlens.imaging.summary import Summary
        from moodlens.imaging.timeline_plot import TimelinePlot

        if self._file.is_dir():
            raise InputError(f"{self._file}: a folder; name the video files in it")
        source = stack.enter_context(open_source(self._file))
        self._summary = Summary(str(self._file))
        plot = TimelinePlot(self._file.name) if self._wanted.folder and self._wanted.plot else None
        annotated, rows = self._open_files(stack, source.fps)
        progress = stack.enter_context(_progress())
        task = progress.add_task(self._file.name, total=source.frame_count, speed="")
        started = time.monotonic()
        session = self._lens.open_session(self._options)
        try:
            for frame, analysis in session.follow(source, source=source.name):
                self._summary.add(analysis)
                if plot is not None:
                    plot.add(analysis)
                self._write(frame.image, frame.timestamp_s, analysis, annotated, rows)
                speed = self._summary.frames / max(time.monotonic() - started, 1e-6)
                progress.update(task, advance=1, speed=f"{speed:.0f} frames/s")
                if stop.is_set():
                    break
        finally:
            self._skipped = int(getattr(source, "skipped", 0))
            if plot is not None and self.frames:
                plot.save(self._place("timeline.png"))

    def _open_files(
        self, stack: ExitStack, fps: float | None
    ) -> tuple[VideoWriter | None, TimelineWriter | None]:
        """The writers that are wanted; closed by the stack, each even when another fails."""
        annotated: VideoWriter | None = None
        rows: TimelineWriter | None = None
        if self._wanted.annotate:
            from moodlens.imaging.video_out import VideoWriter

            annotated = stack.enter_context(
                VideoWriter(
                    self._place("moodlens.mp4"), sound_from=self._file, frames_per_s=fps or 30.0
                )
            )
        if self._wanted.timeline is not None:
            from moodlens.imaging.timeline import TimelineWriter

            path = self._place(f"timeline.{self._wanted.timeline.value}")
            rows = stack.enter_context(TimelineWriter(path, self._wanted.timeline.value))
        return annotated, rows

    def _write(
        self,
        image: Any,
        timestamp_s: float,
        analysis: Analysis,
        annotated: VideoWriter | None,
        rows: TimelineWriter | None,
    ) -> None:
        if rows is not None:
            rows.write(analysis)
        if annotated is not None:
            from moodlens.imaging.draw import draw

            annotated.write(draw(image, analysis), timestamp_s)

    def _write_summary(self, folder: Path) -> None:
        path = self._place("summary.json")
        try:
            path.touch()  # so that the summary names itself among the files
            text = json.dumps(self.summary_dict(), indent=2, ensure_ascii=False)
            path.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            self._tell(MoodlensError(f"{folder}: can't write the summary: {error.strerror}"))

    def summary_dict(self) -> dict[str, Any]:
        """The summary with speed, damaged frames and the files written."""
        if self._summary is None:
            return {}
        return self._summary.to_dict(
            frames_skipped=self._skipped,
            frames_per_s=round(self.frames / max(self._took_s, 1e-6), 1),
            files=[path for path in self._written.values() if Path(path).exists()],
        )

    def _place(self, ending: str) -> Path:
        """The path of an output, under a name that is not taken by another."""
        folder = self._wanted.folder
        assert folder is not None
        if ending in self._written:
            return Path(self._written[ending])
        for n in range(1, 10_000):
            path = folder / f"{self._file.stem}{'' if n == 1 else f'-{n}'}.{ending}"
            if not path.exists():
                self._written[ending] = str(path)
                return path
        raise MoodlensError(f"{folder}: too many files named {self._file.stem}; choose another")

    def _tell(self, error: MoodlensError) -> None:
        self.failed = True
        text = str(error)
        if self.frames:
            text += f" ({self.frames} frames were analysed and are kept)"
        typer.echo(f"moodlens: {text}", err=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--output {folder}: can't be made: {error.strerror}") from error


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        Left(),
        console=Console(stderr=True),
        transient=True,
    )


def _print(summaries: list[dict[str, Any]], kind: SummaryKind) -> None:
    if kind is SummaryKind.json:
        typer.echo(json.dumps(summaries, ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    console = Console()
    for found in summaries:
        console.print(_table(found))


def _table(found: dict[str, Any]) -> Any:
    from rich import box
    from rich.table import Table

    from moodlens.emotions import STYLES

    title = f"{found['source']}: {found['duration_s']:.1f} s, {found['frames']} frames"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, caption=_caption(found))
    for column in ("face", "seen", "most of the time", "changes", "longest stretch"):
        table.add_column(column, justify="right" if column in ("seen", "changes") else "left")
    for track in found["tracks"][:20]:
        shares = sorted(track["share_of_time"].items(), key=lambda item: -item[1])
        most = ", ".join(f"{STYLES[e].emoji} {e} {s:.0%}" for e, s in shares[:3] if s >= 0.005)
        stretch = track["longest_stretch"]
        table.add_row(
            str(track["track_id"]),
            f"{track['seen_s']:.1f} s",
            most,
            str(track["changes"]),
            f"{stretch['emotion']} {stretch['seconds']:.1f} s from {stretch['from_s']:.1f} s",
        )
    return table


def _caption(found: dict[str, Any]) -> str:
    parts = [f"{found['frames_per_s']:.0f} frames/s"]
    if found["frames_without_face"]:
        parts.append(f"{found['frames_without_face']} frames without a face")
    parts += [f"wrote {path}" for path in found["files"]]
    return "\n".join(parts)
