"""`moodlens train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from moodlens.training.recipe import Recipe

command = typer.Typer(add_completion=False)


@command.command(
    epilog="Examples: moodlens train fer2013.csv --ferplus fer2013new.csv --output runs/default   "
    "then, after Ctrl-C: the same with --resume   "
    "or: moodlens train faces/ --recipe tiny --epochs 5 --set schedule.batch_size=64"
)
def train(
    data: Path = typer.Argument(
        ..., metavar="DATA", help="fer2013.csv (also .gz, .xz), icml_face_data.csv, or a folder."
    ),
    ferplus: Path | None = typer.Option(None, help="FER+ votes (fer2013new.csv) for DATA's rows."),
    recipe: str = typer.Option("default", help="A packaged recipe's name, or a TOML file."),
    output: Path | None = typer.Option(None, help="The run's folder; default: runs/RECIPE."),
    resume: bool = typer.Option(False, "--resume", help="Go on from the folder's checkpoint."),
    epochs: int | None = typer.Option(None, min=1, help="In place of the recipe's."),
    backend: str | None = typer.Option(None, help="Of Keras: tensorflow (default), jax or torch."),
    seed: int | None = typer.Option(None, min=0, help="In place of the recipe's."),
    change: list[str] = typer.Option(
        [], "--set", metavar="NAME=VALUE", help="Change a value of the recipe; may be repeated."
    ),
    teacher: list[str] = typer.Option(
        [], metavar="SPEC", help="A model to learn from too; may be repeated. See teacher_share."
    ),
    start_from: Path | None = typer.Option(None, help="best.npz of an earlier run to start from."),
    rows: int | None = typer.Option(None, min=7, help="Train on that many pictures only."),
) -> None:
    """Train the network on labelled faces; the best epoch is written as model.keras."""
    from moodlens.training.recipe import Recipe, parse_changes

    wanted = Recipe.load(recipe).with_changes(parse_changes(change, epochs, seed))
    folder = output or Path("runs") / Path(recipe).stem
    model = _run(wanted, data, ferplus, folder, resume, backend, teacher, start_from, rows)
    typer.echo(str(model))


def _run(
    recipe: Recipe,
    data: Path,
    ferplus: Path | None,
    folder: Path,
    resume: bool,
    backend: str | None,
    teachers: list[str],
    start_from: Path | None,
    rows: int | None,
) -> Path:
    from rich.console import Console

    from moodlens.artifacts import resolve_model
    from moodlens.datasets import load_dataset
    from moodlens.training.backend import use_backend
    from moodlens.training.data import prepare

    screen = Console(stderr=True)
    running = use_backend(backend)
    from moodlens.training.session import check_folder, open_run

    check_folder(folder, resume=resume)
    screen.print(f"reading {data}", highlight=False, soft_wrap=True)
    dataset = load_dataset(data, ferplus=ferplus)
    prepared = prepare(dataset, seed=recipe.seed, rows=rows)
    _say_counts(screen, prepared)
    return open_run(
        recipe,
        dataset,
        prepared,
        folder,
        backend=running,
        teachers=[resolve_model(spec) for spec in teachers],
        start_from=start_from,
        screen=screen,
    ).train(resume=resume)


def _say_counts(screen: Any, prepared: Any) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in prepared.train.counts().items())
    left = ", ".join(f"{count} {why}" for why, count in prepared.left_out.items())
    twins = int((~prepared.no_twins).sum())
    for line in (
        f"training on {len(prepared.train)} pictures: {counts}",
        f"left out of training: {left}",
        f"choosing on {prepared.chosen_on}: {len(prepared.validation)} pictures, {twins} of them "
        "with a twin in training, which do not count",
    ):
        screen.print(line, highlight=False, soft_wrap=True)
