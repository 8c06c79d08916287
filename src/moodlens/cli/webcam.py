"""`moodlens webcam`: apparent emotions, live."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from moodlens.errors import SourceError

if TYPE_CHECKING:
    from moodlens.cli.window import Window
    from moodlens.imaging.sources import Source, SourceFrame
    from moodlens.tracking import StreamState
    from moodlens.types import Analysis

command = typer.Typer(add_completion=False)


@command.command(
    epilog="Examples: moodlens webcam   |   moodlens webcam 1 --mirror   |   "
    "moodlens webcam rtsp://camera/stream --no-window > faces.jsonl   |   "
    "moodlens webcam talk.mp4 --no-window --max-frames 100"
)
def webcam(
    source: str = typer.Argument("0", help="Camera index, video file, or HTTP or RTSP address."),
    window: bool = typer.Option(
        True, "--window/--no-window", help="Show a window, or write a JSON line a frame."
    ),
    detector: str | None = typer.Option(None, help="auto, moodlens, yunet or haar."),
    model: str | None = typer.Option(None, help="A model SPEC; see 'moodlens models'."),
    max_frames: int | None = typer.Option(None, min=1, help="End after so many frames."),
    duration: float | None = typer.Option(None, min=0.0, help="End after so many seconds."),
    min_face: float = typer.Option(24.0, min=8, help="Smallest face looked for, in pixels."),
    min_quality: float = typer.Option(0.2, min=0, max=1, help="Below it a face is uncertain."),
    baseline: float | None = typer.Option(
        None, help="Take this many first seconds as each person's neutral face."
    ),
    mirror: bool = typer.Option(False, help="Left and right swapped, as in a mirror."),
) -> None:
    """Follow faces live, in a window; close it with q, Escape or Ctrl-C."""
    with ExitStack() as stack:
        shown: Window | None = None
        if window:  # before the networks are loaded: a missing display shows at once
            from moodlens.cli.window import Window

            shown = stack.enter_context(Window(f"moodlens: {source}"))
        from moodlens.imaging.sources import open_source
        from moodlens.lens import Lens
        from moodlens.tracking import StreamOptions

        lens = Lens(model=model, detector=detector, min_face_px=min_face, min_quality=min_quality)
        session = lens.open_session(StreamOptions(baseline_s=baseline))
        frames = stack.enter_context(open_source(source))
        use = _window_view(shown, paced=not frames.live) if shown else _print_line
        taken = _limited(frames, max_frames, duration)
        try:
            _run(session, frames.name, taken, use, mirror)
        except KeyboardInterrupt:  # the usual way to end a live view
            return


def _run(
    session: StreamState,
    name: str,
    frames: Iterator[SourceFrame],
    use: Callable[[SourceFrame, Analysis], bool],
    mirror: bool,
) -> None:
    done = 0
    try:
        for frame in frames:
            if mirror:
                frame = _mirrored(frame)
            analysis = session.process(
                frame.image, frame.timestamp_s, index=frame.index, source=name
            )
            done += 1
            if not use(frame, analysis):
                return
    except SourceError as error:
        if not done:
            raise
        typer.echo(f"moodlens: {error} (after {done} frames)", err=True)
        raise typer.Exit(1) from error


def _limited(
    frames: Source, max_frames: int | None, duration_s: float | None
) -> Iterator[SourceFrame]:
    """The frames until one of the limits; a live source ends by the clock on the wall."""
    started = time.monotonic()
    first_s: float | None = None
    for count, frame in enumerate(frames, start=1):
        first_s = frame.timestamp_s if first_s is None else first_s
        past = time.monotonic() - started if frames.live else frame.timestamp_s - first_s
        if duration_s is not None and past > duration_s:
            return
        yield frame
        if max_frames is not None and count >= max_frames:
            return


def _mirrored(frame: SourceFrame) -> SourceFrame:
    from dataclasses import replace

    import numpy as np

    return replace(frame, image=np.ascontiguousarray(frame.image[:, ::-1]))


def _print_line(_frame: SourceFrame, analysis: Analysis) -> bool:
    typer.echo(json.dumps(analysis.to_dict(), ensure_ascii=False))
    return True


def _window_view(shown: Window, *, paced: bool) -> Callable[[SourceFrame, Analysis], bool]:
    """A viewer; files are shown at their own pace and not as fast as they are analysed."""
    from moodlens.imaging.draw import draw

    started = time.monotonic()

    def view(frame: SourceFrame, analysis: Analysis) -> bool:
        if paced:
            time.sleep(max(0.0, frame.timestamp_s - (time.monotonic() - started)))
        return shown.show(draw(frame.image, analysis))

    return view
