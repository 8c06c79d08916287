"""`moodlens recommend`: a quote, an activity and music for an emotion."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from moodlens.emotions import EMOTIONS, STYLES

if TYPE_CHECKING:
    from moodlens.recommendations import Catalogue

command = typer.Typer(add_completion=False)


class Mood(StrEnum):
    """Stay with the mood, or move on from it."""

    match = "match"
    lift = "lift"


class Place(StrEnum):
    """Where an activity may be."""

    anywhere = "anywhere"
    indoors = "indoors"
    outdoors = "outdoors"


class Company(StrEnum):
    """Who is there for an activity."""

    either = "either"
    alone = "alone"
    others = "others"


@command.command(
    epilog="Examples: moodlens recommend happy   |   "
    "moodlens recommend sad --mood lift --language hi --language instrumental --count 3 --json"
)
def recommend(
    emotion: str = typer.Argument(help=f"One of: {', '.join(EMOTIONS)}."),
    mood: Mood = typer.Option(
        Mood.match, "--mood", "--direction", help="match my mood, or lift it step by step."
    ),
    language: list[str] = typer.Option(
        ["en"], help="Of the music: en, hi, es, te or instrumental; may be given several times."
    ),
    count: int = typer.Option(
        1, "--count", "--another", min=1, max=20, help="So many, one after another; none twice."
    ),
    minutes: int | None = typer.Option(None, min=1, help="The most an activity may take."),
    place: Place = typer.Option(Place.anywhere, help="Where the activity may be."),
    company: Company = typer.Option(Company.either, help="Alone or with others."),
    hour: int | None = typer.Option(
        None, min=0, max=23, help="Of the day, for activities that suit it; default: now."
    ),
    catalogue: Path | None = typer.Option(
        None, help="Your own entries, YAML; default: MOODLENS_CATALOGUE."
    ),
    seed: int | None = typer.Option(
        None, help="The same seed gives the same suggestions, at the same hour."
    ),
    as_json: bool = typer.Option(
        False, "--json", help="JSON on standard output; a list when --count is above 1."
    ),
) -> None:
    """Suggest a quote, an activity and music that fit an emotion."""
    from datetime import datetime

    from moodlens.errors import SettingsError
    from moodlens.recommendations import Recommender, Wish, load_catalogue
    from moodlens.settings import settings

    known = next((name for name in EMOTIONS if name == emotion.strip().lower()), None)
    if known is None:
        raise SettingsError(f"unknown emotion {emotion!r}; choose one of: {', '.join(EMOTIONS)}")
    entries = load_catalogue(catalogue or settings().catalogue)
    wish = Wish(
        known,
        hour=datetime.now().hour if hour is None else hour,
        direction=mood.value,
        languages=tuple(_code(name, entries) for name in language),
        own_mood=known,
        minutes=minutes,
        place=place.value,
        company=company.value,
    )
    recommender = Recommender(entries, seed=seed)
    found = [recommender.choose(wish).to_dict() for _ in range(count)]
    if as_json:
        said = found[0] if count == 1 else found
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
        return
    for one in found:
        _show(one)


def _code(name: str, catalogue: Catalogue) -> str:
    """A language's code from its code or name.

    Raises:
        SettingsError: no music is in it.
    """
    from moodlens.errors import SettingsError
    from moodlens.recommendations import LANGUAGES

    wanted = name.strip().lower()
    code = next((code for code, full in LANGUAGES.items() if full.lower() == wanted), wanted)
    if code not in LANGUAGES:
        offered = {piece.language for s in catalogue.shelves.values() for piece in s.music}
        if code not in offered:
            raise SettingsError(
                f"no music in language {name!r}; there is: {', '.join(sorted(offered))}"
            )
    return code


def _show(said: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.padding import Padding

    console = Console(highlight=False)

    def line(text: str, style: str = "", indent: int = 2) -> None:
        console.print(Padding(text, (0, 0, 0, indent)), style=style)

    quote, activity = said["quote"], said["activity"]
    console.print(f"\n{STYLES[said['emotion']].emoji}  [bold]{said['emotion']}[/bold]\n")
    line(f"[italic]“{escape(quote['text'])}”[/italic]")
    line(f"— {escape(quote['author'])}, {escape(quote['work'])}\n", "dim")
    about = [f"{activity['minutes']} min"]
    if activity["place"] != "anywhere":
        about.append(activity["place"])
    if activity["company"] != "either":
        about.append({"alone": "alone", "others": "with others"}[activity["company"]])
    line(f"[bold]{escape(activity['title'])}[/bold] ({', '.join(about)})")
    line(escape(activity["text"]))
    if activity["source"]:
        line(escape(activity["source"]), "dim")
    console.print()
    for piece in said["music"]:
        link = next(iter(piece["links"].values()))
        line(f"♪ {escape(piece['title'])} — {escape(piece['artist'])}")
        console.print(f"    {link}", style="dim", soft_wrap=True)
    if said["care_note"]:
        console.print()
        line(escape(said["care_note"]))
    console.print()
