"""The catalogue: quotes, activities and music as validated data."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote_plus

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import CatalogueError

Direction = Literal["match", "lift"]
SERVICES = {
    "YouTube": "https://www.youtube.com/results?search_query=",
    "Spotify": "https://open.spotify.com/search/",
    "Apple Music": "https://music.apple.com/search?term=",
}


def search_links(artist: str, title: str) -> dict[str, str]:
    """A search on each big service: it finds the piece as long as the service has it."""
    words = quote_plus(f"{artist} {title}")
    return {
        name: address + (words.replace("+", "%20") if name == "Spotify" else words)
        for name, address in SERVICES.items()
    }


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    directions: tuple[Direction, ...] = ("match", "lift")


class Quote(_Entry):
    """Short words of a traceable work."""

    text: str = Field(min_length=3, max_length=400)
    author: str = Field(min_length=2)
    work: str = Field(min_length=2)

    @property
    def id(self) -> str:
        return f"quote:{self.author}:{self.text[:40]}"


class Activity(_Entry):
    """Something to do now."""

    title: str = Field(min_length=3)
    text: str = Field(min_length=3)
    minutes: int = Field(ge=1, le=240)

    @property
    def id(self) -> str:
        return f"activity:{self.title}"


class Music(_Entry):
    """A piece of music; it is linked by search, since addresses rot."""

    artist: str = Field(min_length=1)
    title: str = Field(min_length=1)
    language: str = Field(default="en", pattern="^[a-z]{2}$")

    @property
    def id(self) -> str:
        return f"music:{self.artist}:{self.title}"


class Shelf(BaseModel):
    """What there is for one emotion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quotes: tuple[Quote, ...] = ()
    activities: tuple[Activity, ...] = ()
    music: tuple[Music, ...] = ()

    def with_more(self, other: Shelf) -> Shelf:
        return Shelf(
            quotes=self.quotes + other.quotes,
            activities=self.activities + other.activities,
            music=self.music + other.music,
        )


class Catalogue(BaseModel):
    """A shelf for every emotion."""

    model_config = ConfigDict(frozen=True)

    shelves: dict[Emotion, Shelf]

    def shelf(self, emotion: Emotion) -> Shelf:
        return self.shelves.get(emotion, Shelf())


@cache
def _packaged() -> Catalogue:
    folder = files("moodlens.recommendations") / "catalogue"
    return Catalogue(
        shelves={
            emotion: _shelf(
                yaml.safe_load((folder / f"{emotion}.yaml").read_text(encoding="utf-8")), emotion
            )
            for emotion in EMOTIONS
        }
    )


def load_catalogue(extra: Path | None = None) -> Catalogue:
    """The packaged catalogue, with the entries of the user's own file added.

    Args:
        extra: a YAML file: emotion names, each with quotes, activities and music as packaged.

    Raises:
        CatalogueError: the file can't be read, or an entry has a fault.
    """
    catalogue = _packaged()
    if extra is None:
        return catalogue
    try:
        data = yaml.safe_load(extra.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise CatalogueError(f"{extra}: can't be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{extra}: not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict):
        raise CatalogueError(f"{extra}: expected emotions with their entries at the top level")
    shelves = dict(catalogue.shelves)
    for name, content in data.items():
        if name not in EMOTIONS:
            raise CatalogueError(
                f"{extra}: unknown emotion {name!r}; expected one of {', '.join(EMOTIONS)}"
            )
        shelves[name] = shelves[name].with_more(_shelf(content, f"{extra}: {name}"))
    return Catalogue(shelves=shelves)


def _shelf(content: Any, where: str) -> Shelf:
    try:
        return Shelf.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = " ".join(str(part) for part in first["loc"])
        raise CatalogueError(f"{where}: {place}: {first['msg']}") from error
