"""What an entry of the catalogue is: quotes, activities and music, validated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeVar
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, ConfigDict, Field

Direction = Literal["match", "lift"]
PartOfDay = Literal["morning", "afternoon", "evening", "night"]
Place = Literal["indoors", "outdoors", "anywhere"]
Company = Literal["alone", "others", "either"]

INSTRUMENTAL = "zxx"
"""ISO 639-2's code for "no linguistic content"."""

LANGUAGES = {
    "en": "English",
    "hi": "Hindi",
    "es": "Spanish",
    "te": "Telugu",
    INSTRUMENTAL: "instrumental",
}
"""The languages of the packaged music, as a user reads them; own entries may add others."""

CARE = "Ideas for an everyday mood, not medical advice. Leave out whatever does not suit you."
CARE_LONG = (
    "Ideas for an everyday mood, not medical advice. If a heavy mood stays for days, or feels like "
    "too much, talking to someone you trust or to a doctor is a good next step."
)

PARTS_OF_DAY: tuple[PartOfDay, ...] = ("morning", "afternoon", "evening", "night")


def search_links(artist: str, title: str) -> dict[str, str]:
    """A search on each big service: it finds the piece as long as the service has it."""
    words = f"{artist} {title}"
    return {
        "YouTube": f"https://www.youtube.com/results?search_query={quote_plus(words)}",
        "Spotify": f"https://open.spotify.com/search/{quote(words, safe='')}",
        "Apple Music": f"https://music.apple.com/search?term={quote_plus(words)}",
    }


def part_of_day(hour: int) -> PartOfDay:
    """Morning from 5, afternoon from 12, evening from 17, night from 22 o'clock.

    Args:
        hour: 0 to 23, of the user's clock.
    """
    if 5 <= hour < 12:
        return "morning"
    if 12 <= hour < 17:
        return "afternoon"
    return "evening" if 17 <= hour < 22 else "night"


class _Entry(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, str_strip_whitespace=True
    )

    directions: tuple[Direction, ...] = Field(default=("match", "lift"), min_length=1)
    times: tuple[PartOfDay, ...] = Field(default=PARTS_OF_DAY, min_length=1)

    @property
    def id(self) -> str:
        """Names the entry in thumbs and among what was shown; at most 200 characters."""
        raise NotImplementedError

    def texts(self) -> Iterator[str]:
        """What a translation may replace."""
        yield from ()


class Quote(_Entry):
    """Short words of a traceable work.

    Attributes:
        work: the work and the place in it.
        year: of the edition or translation cited; of the work itself where we translated.
        translator: whose English it is; `own` for ours.
    """

    text: str = Field(min_length=3, max_length=300)
    author: str = Field(min_length=2, max_length=80)
    work: str = Field(min_length=2, max_length=160)
    year: str | None = Field(default=None, pattern=r"^(c\. )?\d{1,4}( BCE)?$")
    translator: str | None = Field(default=None, min_length=2, max_length=80)

    @property
    def id(self) -> str:
        return f"quote:{self.author}:{self.text[:40]}"

    @property
    def citation(self) -> str:
        """Such as `Meditations, book 6 (tr. George Long, 1862)`."""
        tr = {None: None, "own": "our translation"}.get(self.translator, f"tr. {self.translator}")
        notes = ", ".join(note for note in (tr, self.year) if note)
        return f"{self.work} ({notes})" if notes else self.work

    def texts(self) -> Iterator[str]:
        yield self.text


class Activity(_Entry):
    """Something to do now.

    Attributes:
        source: the publication, where the text says that something helps.
    """

    title: str = Field(min_length=3, max_length=60)
    text: str = Field(min_length=3, max_length=300)
    minutes: int = Field(ge=1, le=240)
    place: Place = "anywhere"
    company: Company = "either"
    source: str | None = Field(default=None, min_length=10, max_length=300)

    @property
    def id(self) -> str:
        return f"activity:{self.title}"

    def texts(self) -> Iterator[str]:
        yield from (self.title, self.text)


class Music(_Entry):
    """A piece of music; it is linked by search, since addresses rot.

    Attributes:
        step: on the way out of the mood: 1 is close to it, 2 between, 3 lifted.
    """

    artist: str = Field(min_length=1, max_length=90)
    title: str = Field(min_length=1, max_length=90)
    language: str = Field(default="en", pattern="^[a-z]{2,3}$")
    step: int = Field(default=1, ge=1, le=3)

    @property
    def id(self) -> str:
        return f"music:{self.artist}:{self.title}"


Entry = TypeVar("Entry", Quote, Activity, Music)


class Shelf(BaseModel):
    """What there is for one emotion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quotes: tuple[Quote, ...] = ()
    activities: tuple[Activity, ...] = ()
    music: tuple[Music, ...] = ()

    def with_more(self, other: Shelf) -> Shelf:
        """Both; where an id is on both, the other's entry."""
        return Shelf.model_construct(
            quotes=_together(self.quotes, other.quotes),
            activities=_together(self.activities, other.activities),
            music=_together(self.music, other.music),
        )


def _together(ours: tuple[Entry, ...], others: tuple[Entry, ...]) -> tuple[Entry, ...]:
    entries: dict[str, Entry] = {entry.id: entry for entry in ours}
    entries |= {entry.id: entry for entry in others}
    return tuple(entries.values())
