"""`moodlens bench`: how fast this machine analyses frames, step by step."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import typer

from moodlens.errors import SettingsError

command = typer.Typer(add_completion=False)

ROUNDS, QUICK_ROUNDS = 60, 5
SECONDS, QUICK_SECONDS = 4.0, 0.5
STARTS, QUICK_STARTS = 5, 1
FRAMES, QUICK_FRAMES = 300, 10


@command.command(
    epilog="Examples: moodlens bench   |   moodlens bench --quick   |   "
    "moodlens bench --detector yunet --json bench.json   |   moodlens bench --json - > bench.json"
)
def bench(
    json_file: str | None = typer.Option(
        None, "--json", metavar="FILE", help="Write the figures there; - is standard output."
    ),
    quick: bool = typer.Option(False, "--quick", help="Few cases, few rounds: a look."),
    full: bool = typer.Option(False, "--full", help="Every combination: many minutes."),
    detector: list[str] = typer.Option(
        [], help="Only this one (may be repeated); default: all that are here."
    ),
    model: str | None = typer.Option(None, metavar="SPEC", help="Default: the packaged model."),
    image: Path | None = typer.Option(
        None, metavar="PICTURE", help="A picture with one face; default: a packaged average face."
    ),
) -> None:
    """Time each step of a frame beside the bare network calls; memory; cold start."""
    if quick and full:
        raise SettingsError("--quick and --full exclude each other")
    _check_place(json_file)
    from moodlens.artifacts import resolve_model
    from moodlens.evaluation import bench as measuring
    from moodlens.evaluation.bench_scene import face_pictures
    from moodlens.settings import settings

    model = str(resolve_model(model or settings().model))  # found once, the same for all processes
    detectors = _chosen(detector, measuring.detectors_here())
    pictures = face_pictures(image)
    cases = measuring.choose_cases(detectors, quick=quick, full=full)
    rounds, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if quick else (ROUNDS, SECONDS)
    rows: list[dict[str, Any]] = []
    with _progress() as progress:
        task = progress.add_task("", total=len(cases) + len(detectors))
        for case in cases:
            progress.update(task, description=f"{case.detector} {case.width}x{case.height}")
            timing = measuring.measure(case, pictures, model=model, rounds=rounds, seconds=seconds)
            rows.append(timing.to_dict())
            progress.advance(task)
        starts = []
        for name in detectors:
            progress.update(task, description=f"{name} cold start")
            starts.append(_start(name, pictures, quick, model))
            progress.advance(task)
    result = {
        "benchmark": "bench",
        "format": 1,
        "quick": quick,
        "machine": measuring.describe_machine(),
        "model": Path(model).name,
        "picture": "the packaged average faces" if image is None else image.name,
        "frames": rows,
        "start": starts,
    }
    _show(result, to_stderr=json_file == "-")
    _write(result, json_file)


def _check_place(json_file: str | None) -> None:
    """Before the minutes of measuring, not after them."""
    if json_file not in (None, "-") and not Path(str(json_file)).absolute().parent.is_dir():
        raise SettingsError(f"--json {json_file}: can't be written: there is no such folder")


def _chosen(wanted: list[str], here: list[str]) -> list[str]:
    for name in wanted:
        if name not in here:
            raise SettingsError(
                f"--detector {name}: not on this machine; there is {', '.join(here)} "
                "('moodlens models fetch yunet' brings YuNet)"
            )
    return wanted or here


def _start(detector: str, pictures: Any, quick: bool, model: str) -> dict[str, Any]:
    from moodlens.evaluation.bench import USUAL, write_picture
    from moodlens.evaluation.bench_scene import make_frames
    from moodlens.evaluation.bench_start import measure_start

    with tempfile.TemporaryDirectory() as folder:
        (frame,) = make_frames(pictures, *USUAL, faces=1, count=1)
        picture = write_picture(frame, Path(folder) / "frame.jpg")
        return measure_start(
            detector,
            picture,
            runs=QUICK_STARTS if quick else STARTS,
            frames=QUICK_FRAMES if quick else FRAMES,
            model=model,
        )


def _write(result: dict[str, Any], json_file: str | None) -> None:
    if json_file is None:
        return
    text = json.dumps(result, indent=2, ensure_ascii=False)
    if json_file == "-":
        typer.echo(text)
        return
    try:
        Path(json_file).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--json {json_file}: can't be written: {error.strerror}") from error


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _show(result: dict[str, Any], *, to_stderr: bool) -> None:
    from rich.console import Console

    console = Console(stderr=to_stderr)
    machine = result["machine"]
    console.print(f"{machine['processor']}, {machine['cores']} cores; model {result['model']}")
    for name in dict.fromkeys(row["detector"] for row in result["frames"]):
        console.print(_frames_table([r for r in result["frames"] if r["detector"] == name]))
    console.print(_NOTES)
    console.print(_start_table(result))


_COLUMNS = {
    "frame": "frame",
    "faces": "faces",
    "threads": "threads",
    "decode_ms": "decode",
    "detect_ms": "detect",
    "crop_ms": "crop",
    "classify_ms": "classify",
    "whole_ms": "whole",
    "stream_ms": "stream",
    "floor_ms": "floor",
    "times_the_floor": "ratio",
}
_NOTES = """\
Median milliseconds a frame. whole: detect, crop, classify, quality; no decode.
stream: the same with tracking and smoothing. floor: the bare network calls.
ratio: whole to floor. Faces as 2/3: two of three were found.
"""


def _frames_table(rows: list[dict[str, Any]]) -> Any:
    """One detector's cases."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=f"Detector {rows[0]['detector']}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0),
    )
    for key, name in _COLUMNS.items():
        table.add_column(name, justify="left" if key == "frame" else "right", no_wrap=True)
    for row in rows:
        shown = {**row, "frame": f"{row['width']}x{row['height']}"}
        if row["found"] != row["faces"]:
            shown["faces"] = f"{row['found']}/{row['faces']}"
        table.add_row(*(_cell(shown[key]) for key in _COLUMNS))
    return table


def _start_table(result: dict[str, Any]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(
        title="A fresh process: first result, 'moodlens analyze', memory",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    names = {
        "detector": "detector",
        "cold_start_s": "result, s",
        "command_s": "command, s",
        "resident_mib": "resident, MiB",
        "peak_mib": "peak, MiB",
    }
    for key, name in names.items():
        table.add_column(name, justify="left" if key == "detector" else "right")
    for row in result["start"]:
        table.add_row(*(_cell(row[key]) for key in names))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
