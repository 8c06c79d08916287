"""`moodlens tune`."""

from __future__ import annotations

from pathlib import Path

import typer

command = typer.Typer(add_completion=False)


@command.command(
    epilog="Examples: moodlens tune fer2013.csv --ferplus fer2013new.csv --trials 40   "
    "the same again goes on where it stopped   "
    "moodlens train fer2013.csv --recipe runs/tune/best.toml --epochs 60"
)
def tune(
    data: Path = typer.Argument(
        ..., metavar="DATA", help="fer2013.csv (also .gz, .xz), icml_face_data.csv, or a folder."
    ),
    ferplus: Path | None = typer.Option(None, help="FER+ votes (fer2013new.csv) for DATA's rows."),
    recipe: str = typer.Option("default", help="Whose values are changed: a name, or a file."),
    output: Path = typer.Option(Path("runs/tune"), help="The study's folder; goes on where it is."),
    trials: int = typer.Option(40, min=1, help="How many in all, with those of earlier calls."),
    random_trials: int = typer.Option(
        10, "--random", min=1, help="That many are drawn by chance before the search is led."
    ),
    epochs: int = typer.Option(10, min=1, help="Of a trial."),
    rows: int | None = typer.Option(None, min=7, help="Train on that many pictures only."),
    backend: str | None = typer.Option(None, help="Of Keras: tensorflow (default), jax or torch."),
    seed: int | None = typer.Option(None, min=0, help="In place of the recipe's."),
    change: list[str] = typer.Option(
        [], "--set", metavar="NAME=VALUE", help="Change a value of the recipe; may be repeated."
    ),
    teacher: list[str] = typer.Option(
        [], metavar="SPEC", help="A model to learn from too; may be repeated. See teacher_share."
    ),
) -> None:
    """Search for a better recipe; the best is written as best.toml."""
    from rich.console import Console

    from moodlens.artifacts import resolve_model
    from moodlens.datasets import load_dataset
    from moodlens.training.backend import use_backend
    from moodlens.training.data import prepare
    from moodlens.training.provenance import data_hash
    from moodlens.training.recipe import Recipe, parse_changes
    from moodlens.training.teacher import open_teacher

    screen = Console(stderr=True)

    def say(line: str) -> None:
        screen.print(line, highlight=False, soft_wrap=True)

    wanted = Recipe.load(recipe).with_changes(parse_changes(change, epochs, seed))
    teachers = open_teacher([resolve_model(spec) for spec in teacher], wanted.target)
    use_backend(backend)
    from moodlens.training.tuning import Search

    say(f"reading {data}")
    dataset = load_dataset(data, ferplus=ferplus)
    prepared = prepare(dataset, seed=wanted.seed, rows=rows)
    search = Search(
        wanted,
        prepared,
        output,
        identity={"data": data_hash(dataset), "number of rows": rows, "teacher": teacher},
        random_trials=random_trials,
        teacher=teachers,
        say=say,
    )
    try:
        found = search.run(trials)
    finally:
        search.close()
    say(
        f"{found.finished} trials finished, {found.pruned} given up; the best has "
        f"{found.accuracy:.2%} on {prepared.chosen_on} without twins"
    )
    for name, share in list(found.importance.items())[:5]:
        say(f"{share:6.1%}  {name}")
    typer.echo(str(found.recipe))
