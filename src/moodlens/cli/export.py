"""`moodlens export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer

command = typer.Typer(add_completion=False)


class Format(StrEnum):
    """What to write."""

    onnx = "onnx"
    keras = "keras"


@command.command(
    epilog="Examples: moodlens export runs/default --calibrate-on fer2013.csv   "
    "moodlens export runs/one --average-with runs/two   "
    "moodlens export my-network.keras --output my-network.onnx   "
    "moodlens export moodlens-default --format keras --output default.keras"
)
def export(
    model: str = typer.Argument(
        ..., metavar="MODEL", help="A run's folder, a .keras file, an .onnx file, or a model SPEC."
    ),
    output: Path | None = typer.Option(None, help="Default: the model's name, in this folder."),
    format: Format | None = typer.Option(  # noqa: A002
        None, help="Default: keras for an ONNX file, else onnx."
    ),
    average_with: list[Path] = typer.Option(
        [], metavar="RUN", help="Another run's folder; the file averages their logits. Repeat it."
    ),
    calibrate_on: Path | None = typer.Option(
        None, metavar="DATA", help="Fit temperature and prediction sets on its PublicTest rows."
    ),
    int8: bool = typer.Option(
        False, "--int8", help="Also write NAME.int8.onnx, if it loses 0.3 points at most."
    ),
    calibration_data: Path | None = typer.Option(
        None, metavar="DATA", help="For --int8: ranges from Training, the check on PublicTest."
    ),
) -> None:
    """Keras to ONNX and back, with the model's card, and a check that both agree."""
    from moodlens.errors import SettingsError
    from moodlens.training.backend import use_backend

    if int8 and (calibration_data or calibrate_on) is None:
        raise SettingsError("--int8 needs --calibration-data, a table or folder with Training")
    source = _source(model)
    wanted = format or (Format.keras if source.suffix == ".onnx" and not int8 else Format.onnx)
    if wanted is Format.keras and (int8 or calibrate_on):
        raise SettingsError("--calibrate-on and --int8 are for ONNX files: add --format onnx")
    target = output or Path.cwd() / f"{source.stem}.{wanted.value}"
    if target.exists() and source.exists() and target.samefile(source):
        raise SettingsError(f"{target}: is the model itself; choose another name with --output")
    if average_with and not source.is_dir():
        raise SettingsError(f"--average-with joins runs: {source} is no run's folder")
    use_backend("tensorflow")
    _convert(source, target, wanted, average_with)
    if calibrate_on is not None:
        from moodlens.datasets import load_dataset
        from moodlens.training.export import calibrate_file

        calibrate_file(target, load_dataset(calibrate_on), _say)
    typer.echo(str(target))
    if int8:
        _quantise(target, calibration_data or calibrate_on or Path())


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _source(model: str) -> Path:
    """A folder or a `.keras` file as it is; anything else as a SPEC."""
    from moodlens.artifacts import resolve_model

    path = Path(model)
    if path.is_dir() or (path.suffix == ".keras" and path.is_file()):
        return path
    return resolve_model(model)


def _convert(source: Path, target: Path, wanted: Format, others: list[Path]) -> None:
    from moodlens.training.export import to_keras, to_onnx
    from moodlens.training.storage import write_atomically

    if wanted is Format.keras:
        if source.suffix == ".keras":
            from moodlens.errors import SettingsError

            raise SettingsError(f"{source}: is a .keras file already; add --format onnx")
        to_keras(source, target, _say, others=others)
    elif source.suffix == ".onnx":
        data = source.read_bytes()
        write_atomically(target, lambda file: file.write(data))
    else:
        to_onnx(source, target, _say, others=others)


def _quantise(source: Path, data: Path) -> None:
    from moodlens.datasets import load_dataset
    from moodlens.training.export import calibration_rows
    from moodlens.training.int8 import quantise

    dataset = load_dataset(data)
    target = source.with_suffix(".int8.onnx")
    found = quantise(source, target, dataset.split("Training"), calibration_rows(dataset))
    _say(f"accuracy {found.before:.2%}, int8 {found.after:.2%}")
    if not found.kept:
        _say(f"{target.name} was not written: it loses more than 0.3 points")
        raise typer.Exit(1)
    typer.echo(str(target))
