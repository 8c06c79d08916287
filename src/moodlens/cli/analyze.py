"""`moodlens analyze`: apparent emotions on pictures."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from moodlens.errors import InputError, MoodlensError

if TYPE_CHECKING:
    from moodlens.lens import Lens
    from moodlens.types import Analysis

command = typer.Typer(add_completion=False)


class Format(StrEnum):
    """How the result is written."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


@command.command(
    epilog="Examples: moodlens analyze photo.jpg   |   "
    "moodlens analyze photos/ --format csv > faces.csv   |   "
    "moodlens analyze a.jpg b.png --annotate --output out/"
)
def analyze(
    paths: list[str] = typer.Argument(metavar="PATH...", help="Pictures, folders or globs."),
    shape: Format = typer.Option(
        Format.table, "--format", help="Of the result on standard output."
    ),
    output: Path | None = typer.Option(None, help="Folder for what is written to files."),
    annotate: bool = typer.Option(False, help="Write pictures with boxes and labels to --output."),
    detector: str | None = typer.Option(None, help="auto, moodlens, yunet or haar."),
    model: str | None = typer.Option(None, help="A model SPEC; see 'moodlens models'."),
    input_size: int | None = typer.Option(None, help="Of a .keras model: pixels a side."),
    scale: str | None = typer.Option(
        None, metavar="LOW:HIGH", help="Of a .keras model: what black and white become."
    ),
    labels: str | None = typer.Option(
        None, metavar="A,B,…", help="Of a .keras model: the seven emotions in its order."
    ),
    min_face: float = typer.Option(24.0, min=8, help="Smallest face looked for, in pixels."),
    min_quality: float = typer.Option(0.2, min=0, max=1, help="Below it a face is uncertain."),
) -> None:
    """Find faces on pictures and say each one's apparent emotion."""
    if annotate and output is None:
        raise MoodlensError("--annotate needs a folder to write to: add --output DIR")
    sources = list(_expand(paths))
    from moodlens.artifacts import make_reading
    from moodlens.lens import Lens

    lens = Lens(
        model=model,
        detector=detector,
        min_face_px=min_face,
        min_quality=min_quality,
        reading=make_reading("--model", input_size=input_size, scale=scale, labels=labels),
    )
    results: list[Analysis] = []
    for source in sources:
        result = _one(lens, source, output if annotate else None)
        if result.error:
            typer.echo(f"moodlens: {result.error}", err=True)
        if shape is Format.jsonl:
            typer.echo(json.dumps(result.to_dict(), ensure_ascii=False))
        results.append(result)
    _write(results, shape)
    if any(result.error for result in results):
        raise typer.Exit(1)


def _expand(paths: list[str]) -> Iterator[Path]:
    """Files as named; the pictures of folders and globs, in order."""
    from moodlens.imaging.sources import is_picture

    for text in paths:
        path = Path(text)
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.is_file() and is_picture(p))
            if not found:
                typer.echo(f"moodlens: {path}: no pictures in this folder", err=True)
                if len(paths) == 1:
                    raise typer.Exit(2)
            yield from found
        elif not path.exists() and any(c in text for c in "*?["):
            found = sorted(Path(path.anchor or ".").glob(text.removeprefix(path.anchor)))
            if not found:
                typer.echo(f"moodlens: {text}: no file matches", err=True)
            yield from found
        else:
            yield path


def _one(lens: Lens, source: Path, folder: Path | None) -> Analysis:
    from moodlens.imaging import load_image
    from moodlens.types import Analysis

    try:
        frame = load_image(source)
        result = lens.analyze(frame, source=str(source), thorough=True)
    except InputError as error:
        return Analysis.failed(str(source), str(error))
    if folder is not None:
        import cv2

        from moodlens.imaging.draw import draw

        folder.mkdir(parents=True, exist_ok=True)
        target = _free_name(folder, source)
        target.write_bytes(cv2.imencode(".png", draw(frame, result))[1].tobytes())
    return result


def _free_name(folder: Path, source: Path) -> Path:
    """A name for the annotated copy that is not taken."""
    for n in range(1, 10_000):
        target = folder / f"{source.stem}.moodlens{'' if n == 1 else f'-{n}'}.png"
        if not target.exists():
            return target
    raise MoodlensError(f"{folder}: too many files named {source.stem}; choose another folder")


def _write(results: list[Analysis], shape: Format) -> None:
    if shape is Format.json:
        typer.echo(json.dumps([r.to_dict() for r in results], ensure_ascii=False, indent=2))
    elif shape is Format.csv:
        _write_csv(results)
    elif shape is Format.table:
        _write_table(results)


def _write_csv(results: list[Analysis]) -> None:
    from moodlens.emotions import EMOTIONS

    writer = csv.writer(sys.stdout)
    head = ["source", "face", "x1", "y1", "x2", "y2", "detection_score", "emotion", "confidence"]
    writer.writerow([*head, "uncertain", *EMOTIONS, "valence", "arousal", "error"])
    for result in results:
        if not result.faces:
            blank = len(head) - 1 + 1 + len(EMOTIONS) + 2
            writer.writerow([result.source, *[""] * blank, result.error or ""])
        for number, face in enumerate(result.faces, start=1):
            said = face.to_dict()
            writer.writerow(
                [
                    *(result.source, number, *said["box_xyxy"], said["detection_score"]),
                    *(said["emotion"], said["confidence"], str(said["uncertain"]).lower()),
                    *(*said["scores"].values(), said["valence"], said["arousal"], ""),
                ]
            )


def _short_names(sources: list[str]) -> list[str]:
    """File names where they tell the sources apart, else the whole paths."""
    names = [Path(source).name for source in sources]
    return names if len(set(names)) == len(set(sources)) else sources


def _write_table(results: list[Analysis]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from moodlens.emotions import STYLES

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("picture", overflow="fold")
    table.add_column("apparent emotion")
    table.add_column("sure", justify="right")
    table.add_column("or else")
    table.add_column("box x1 y1 x2 y2", justify="right", no_wrap=True)
    names = _short_names([result.source for result in results])
    for name, result in zip(names, results, strict=True):
        if result.error:
            table.add_row(name, "[red]not read[/red]", "", "", "")
        elif not result.faces:
            table.add_row(name, "[dim]no face[/dim]", "", "", "")
        for face in result.faces:
            style = STYLES[face.emotion]
            others = [e for e in face.prediction_set if e != face.emotion]
            table.add_row(
                name,
                f"{style.emoji} {face.emotion}{' [dim]?[/dim]' if face.uncertain else ''}",
                f"{face.confidence:.0%}",
                ", ".join(others[:3]) or "-",
                " ".join(f"{v:.0f}" for v in face.box_xyxy),
            )
    Console().print(table)
