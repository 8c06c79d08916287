"""`moodlens evaluate`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from moodlens.evaluation.job import Judged

command = typer.Typer(add_completion=False)


class Faces(StrEnum):
    """Whether the pictures are crops of faces already."""

    cropped = "cropped"
    detect = "detect"


class DetectorChoice(StrEnum):
    """Which detector finds the faces."""

    auto = "auto"
    moodlens = "moodlens"
    yunet = "yunet"
    haar = "haar"


@command.command(
    epilog="Examples: moodlens evaluate fer2013.csv --split PublicTest --json -   "
    "moodlens evaluate photos/ --faces detect --html report.html --mistakes 40"
)
def evaluate(
    data: Path = typer.Argument(
        ..., metavar="DATA", help="fer2013.csv (also .gz, .xz), icml_face_data.csv, or a folder."
    ),
    split: str | None = typer.Option(
        None,
        help="Training, PublicTest or PrivateTest; of a folder, test. Default: PublicTest.",
    ),
    faces: Faces = typer.Option(
        Faces.cropped, help="cropped: face crops; detect: find the largest face of each picture."
    ),
    detector: DetectorChoice | None = typer.Option(None, help="For --faces detect."),
    model: str | None = typer.Option(None, metavar="SPEC", help="Default: the packaged model."),
    json_file: str | None = typer.Option(
        None, "--json", metavar="FILE", help="Write the figures there; - is standard output."
    ),
    html: Path | None = typer.Option(None, metavar="FILE", help="Write a report with plots."),
    mistakes: int = typer.Option(
        0, min=0, max=500, help="Show that many of the worst mistakes, as pictures, in the report."
    ),
    framing: bool = typer.Option(
        False, "--framing", help="Also cropped at other scales and shifts (nine times the work)."
    ),
    threads: int = typer.Option(0, min=0, max=256, help="Of one network call; 0: all cores."),
) -> None:
    """Accuracy, loss, each emotion's figures and calibration error on labelled pictures."""
    from moodlens.artifacts import resolve_model
    from moodlens.errors import SettingsError
    from moodlens.evaluation.job import Job, run_job
    from moodlens.recognition.classifier import Classifier
    from moodlens.settings import settings

    if mistakes and html is None:
        raise SettingsError("--mistakes are shown in the report: name it with --html FILE")
    if framing and faces is Faces.detect:
        raise SettingsError("--framing is for --faces cropped: the detector frames the faces")
    job = Job(
        data=data,
        split=split,
        faces=faces.value,
        detector=(detector or settings().detector),
        with_framing=framing,
    )
    classifier = Classifier(resolve_model(model or settings().model), threads=threads)
    with _bars() as opened:
        judged = run_job(job, classifier, threads=threads, progress=opened)
    figures = {
        **judged.result.to_dict(),
        "split": judged.split,
        "faces": faces.value,
        "model": classifier.info.name,
    }
    if html is not None:
        _write(html, _page(judged, classifier.path, figures, mistakes))
    if json_file is not None and json_file != "-":
        _write(Path(json_file), json.dumps(figures, indent=1) + "\n")
    if json_file == "-":
        typer.echo(json.dumps(figures, indent=1))
    else:
        _print_table(figures)


class _bars:  # noqa: N801
    """Progress on standard error, where it is a terminal."""

    def __enter__(self) -> Any:
        from rich.console import Console
        from rich.progress import Progress

        screen = Console(stderr=True)
        self._progress = Progress(console=screen, transient=True, disable=not screen.is_terminal)
        self._progress.start()

        def opened(name: str, length: int) -> Any:
            task = self._progress.add_task(name, total=length)
            return lambda done: self._progress.advance(task, done)

        return opened

    def __exit__(self, *error: object) -> None:
        self._progress.stop()


def _write(path: Path, text: str) -> None:
    from moodlens.errors import MoodlensError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MoodlensError(f"{path}: can't be written: {error.strerror or error}") from error
    typer.echo(f"wrote {path}", err=True)


def _page(judged: Judged, model: Path, figures: dict[str, Any], mistakes: int) -> str:
    from moodlens.evaluation.report import ReportInput, html_report

    return html_report(
        ReportInput(
            title=f"{figures['model']} on {figures['split']}",
            result=judged.result,
            images=judged.images,
            mistakes=mistakes,
            log=_read_log(model.with_name("log.csv")),
            facts={
                "model": f"{figures['model']} ({model.name})",
                "split": str(figures["split"]),
                "faces": str(figures["faces"]),
            },
        )
    )


def _read_log(path: Path) -> list[dict[str, float]]:
    """The training log that lies beside a model, as numbers; none where it is of another kind."""
    from moodlens.errors import MoodlensError
    from moodlens.training.storage import read_log

    try:
        return [vars(line) for line in read_log(path)]
    except MoodlensError as error:
        typer.echo(f"{error}: the report has no training curves", err=True)
        return []


def _print_table(figures: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    screen = Console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("apparent emotion")
    for name in ("precision", "recall", "F1", "pictures"):
        table.add_column(name, justify="right")
    for label, row in figures["per_class"].items():
        numbers = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(label, *numbers, str(row["support"]))
    screen.print(table)
    lines = [f"{figures['model']} on {figures['split']}: {figures['n']} pictures"]
    if figures["missed"]:
        lines.append(f"no face found in {figures['missed']}, counted as wrong")
    for name, said in (
        ("accuracy", "accuracy"),
        ("accuracy_without_twins", "accuracy without twins"),
        ("ece", "calibration error"),
    ):
        if figures.get(name) is not None:
            lines.append(f"{said} {figures[name]:.2%}")
    if figures["loss"] is not None:
        lines.append(f"loss {figures['loss']:.4f}")
    for name, value in figures.get("framing", {}).items():
        lines.append(f"framing {name}: {value:.2%}")
    screen.print("\n".join(lines), highlight=False)
