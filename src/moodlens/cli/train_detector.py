"""`moodlens train-detector`: the packaged face detector, from data to file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

command = typer.Typer(add_completion=False)

_EPILOG = (
    "Example: moodlens train-detector fer2013.csv photographs --out runs/detector\n\n"
    "Look first: moodlens train-detector fer2013.csv photographs --contact-sheet scenes.png"
)


@command.command(epilog=_EPILOG)
def train_detector(
    data: Annotated[Path, typer.Argument(help="fer2013.csv (plain, .gz or .xz).")],
    backgrounds: Annotated[Path, typer.Argument(help="A folder of photographs (.jpg, .png).")],
    out: Annotated[Path, typer.Option(help="The run's folder.")] = Path("runs/detector"),
    recipe: Annotated[str, typer.Option(help="A packaged recipe or a TOML file.")] = "detector",
    split: Annotated[str, typer.Option(help="The rows whose faces are used.")] = "Training",
    workers: Annotated[int, typer.Option(min=1, help="Processes that compose scenes.")] = 2,
    resume: Annotated[
        bool, typer.Option(help="Go on where the run in the folder stopped.")
    ] = False,
    start_from: Annotated[
        Path | None,
        typer.Option(help="An exported detector of the recipe's shape to train further."),
    ] = None,
    contact_sheet: Annotated[
        Path | None, typer.Option(help="Only draw composed scenes with their labels here.")
    ] = None,
) -> None:
    """Train the face detector on pictures composed of faces and backgrounds.

    YuNet labels the faces and finds the photographs that hold people. The result is
    OUT/detector.onnx, whose path is printed, and OUT/detector.int8.onnx, which is quicker.
    """
    from moodlens.datasets import read_fer2013
    from moodlens.training.detector.pipeline import prepare, train_detector
    from moodlens.training.detector.recipe import DetectorRecipe

    def report(line: str) -> None:
        typer.echo(line, err=True)

    chosen = DetectorRecipe.load(recipe)
    faces = read_fer2013(data).split(split)
    ingredients = prepare(chosen, faces, backgrounds, out, report)
    if contact_sheet is not None:
        _write_sheet(contact_sheet, chosen, ingredients)
        typer.echo(contact_sheet)
        return
    path = train_detector(
        chosen,
        ingredients,
        out,
        workers=workers,
        resume=resume,
        start_from=start_from,
        report=report,
    )
    typer.echo(path)


def _write_sheet(path: Path, recipe: object, ingredients: object) -> None:
    """Draw 24 scenes.

    Raises:
        SettingsError: the file can't be written, or its ending names no picture format.
    """
    import cv2

    from moodlens.errors import SettingsError
    from moodlens.training.detector.pipeline import Ingredients
    from moodlens.training.detector.recipe import DetectorRecipe
    from moodlens.training.detector.sheet import contact_sheet

    assert isinstance(recipe, DetectorRecipe)
    assert isinstance(ingredients, Ingredients)
    try:
        written = cv2.imwrite(str(path), contact_sheet(ingredients.composer(recipe)))
    except cv2.error as error:
        raise SettingsError(f"{path}: can't be written: use the ending .png or .jpg") from error
    if not written:
        raise SettingsError(f"{path}: can't be written")
