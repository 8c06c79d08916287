"""`moodlens recommend`: a quote, an activity and music for an emotion."""

from __future__ import annotations

import json
from enum import StrEnum

import typer

from moodlens.emotions import EMOTIONS, STYLES

command = typer.Typer(add_completion=False)


class Direction(StrEnum):
    """Stay with the mood, or move on from it."""

    match = "match"
    lift = "lift"


@command.command(
    epilog="Examples: moodlens recommend happy   |   "
    "moodlens recommend sad --direction lift --language hi --language en --json"
)
def recommend(
    emotion: str = typer.Argument(help=f"One of: {', '.join(EMOTIONS)}."),
    direction: Direction = typer.Option(
        Direction.match, help="match my mood, or lift it step by step."
    ),
    language: list[str] = typer.Option(
        ["en"], help="Of the music: en, hi, es, te; may be given several times."
    ),
    seed: int | None = typer.Option(None, help="The same seed gives the same suggestions."),
    as_json: bool = typer.Option(False, "--json", help="JSON on standard output."),
) -> None:
    """Suggest a quote, an activity and music that fit an emotion."""
    from moodlens.errors import MoodlensError
    from moodlens.recommendations import Recommender, load_catalogue
    from moodlens.settings import settings

    emotion = emotion.strip().lower()
    if emotion not in EMOTIONS:
        raise MoodlensError(f"unknown emotion {emotion!r}; choose one of: {', '.join(EMOTIONS)}")
    recommender = Recommender(load_catalogue(settings().catalogue), seed=seed)
    found = recommender.recommend(
        emotion,
        direction=direction.value,
        languages=tuple(language),
    )
    if as_json:
        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    said = found.to_dict()
    quote, activity = said["quote"], said["activity"]
    console.print(f"\n{STYLES[emotion].emoji}  [bold]{emotion}[/bold]\n")
    console.print(f"  [italic]“{escape(quote['text'])}”[/italic]")
    console.print(f"  — {escape(quote['author'])}, {escape(quote['work'])}\n", style="dim")
    console.print(f"  [bold]{escape(activity['title'])}[/bold] ({activity['minutes']} min)")
    console.print(f"  {escape(activity['text'])}\n")
    for piece in said["music"]:
        link = next(iter(piece["links"].values()))
        console.print(f"  ♪ {escape(piece['title'])} — {escape(piece['artist'])}")
        console.print(f"    {link}", style="dim", soft_wrap=True)
    if said.get("care_note"):
        console.print(f"\n  {escape(said['care_note'])}")
    console.print()
