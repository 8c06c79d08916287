"""Choosing from the catalogue: what fits, and nothing twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import CatalogueError, SettingsError
from moodlens.recommendations.catalogue import Catalogue, load_catalogue
from moodlens.recommendations.entries import (
    CARE,
    CARE_LONG,
    INSTRUMENTAL,
    Activity,
    Company,
    Direction,
    Entry,
    Music,
    Place,
    Quote,
    Shelf,
    part_of_day,
    search_links,
)

PIECES = 3
SURE = 1 / 3
BRIEF_S, LONG_S = 60.0, 600.0
BRIEF_MINUTES = 10
LIKED = 3.0
UNPLEASANT: frozenset[Emotion] = frozenset({"angry", "disgust", "fear", "sad"})

Thumbs = Callable[[], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Attributes:
        emotion: that was seen.
        confidence: 0 to 1; below a third, the suggestions are those of *neutral*.
        held_s: how long it has lasted, in seconds; under a minute, short activities go first.
        hour: 0 to 23 of the user's clock; None leaves the time of day out.
        direction: match the mood, or lift it step by step.
        languages: of the music, as ISO 639 codes; pieces without words fit every choice.
        own_mood: the user's own word for it; it goes before `emotion` and counts as sure.
        minutes: the most an activity may take.
        place: where; an activity for anywhere always fits.
        company: alone or with others; an activity for either always fits.
    """

    emotion: Emotion
    confidence: float = 1.0
    held_s: float | None = None
    hour: int | None = None
    direction: Direction = "match"
    languages: tuple[str, ...] = ("en",)
    own_mood: Emotion | None = None
    minutes: int | None = None
    place: Place = "anywhere"
    company: Company = "either"

    def __post_init__(self) -> None:
        for name in (self.emotion, self.own_mood):
            if name is not None and name not in EMOTIONS:
                raise SettingsError(f"unknown emotion {name!r}; one of {', '.join(EMOTIONS)}")
        if self.direction not in ("match", "lift"):
            raise SettingsError(f"unknown direction {self.direction!r}; match or lift")
        if self.hour is not None and not 0 <= self.hour <= 23:
            raise SettingsError(f"hour {self.hour} is not on the clock; 0 to 23")

    @property
    def mood(self) -> Emotion:
        """What the suggestions are for."""
        return self.own_mood or self.emotion

    @property
    def shelf(self) -> Emotion:
        """Where they come from."""
        return "neutral" if self.own_mood is None and self.confidence < SURE else self.mood


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A quote, an activity and pieces of music for an emotion.

    Attributes:
        music: when lifting, in the order to hear them: close to the mood first.
        care_note: careful words where the mood is unpleasant.
    """

    emotion: Emotion
    direction: Direction
    quote: Quote
    activity: Activity
    music: tuple[Music, ...]
    care_note: str | None = None

    def to_dict(self, translate: Callable[[str], str] = str) -> dict[str, Any]:
        """Plain values, with the music's links.

        Args:
            translate: from our English to the user's language, as `gettext` does; authors, works
                and the music's titles stay as they are.
        """
        quote, doing = self.quote, self.activity
        return {
            "emotion": self.emotion,
            "direction": self.direction,
            "quote": {
                "text": translate(quote.text),
                "author": quote.author,
                "work": quote.citation,
            },
            "activity": {
                "title": translate(doing.title),
                "text": translate(doing.text),
                **doing.model_dump(include={"minutes", "place", "company", "source"}),
            },
            "music": [
                {
                    **piece.model_dump(include={"artist", "title", "language", "step"}),
                    "links": search_links(piece.artist, piece.title),
                }
                for piece in self.music
            ],
            "care_note": translate(self.care_note) if self.care_note else None,
        }


class Recommender:
    """Chooses for one viewer; remembers what was shown. Safe to share between threads.

    Args:
        catalogue: default: the packaged one.
        thumbs: called before each choice; ids of entries with 1 (liked, three times as likely) or
            -1 (shown only when nothing else is left).
        seed: the same seed and the same wishes give the same suggestions.
    """

    def __init__(
        self,
        catalogue: Catalogue | None = None,
        *,
        thumbs: Thumbs | None = None,
        seed: int | None = None,
    ) -> None:
        self._catalogue = catalogue or load_catalogue()
        self._thumbs = thumbs
        self._chance = random.Random(seed)
        self._shown: set[str] = set()
        self._last: Wish | None = None
        self._lock = threading.Lock()

    def recommend(
        self,
        emotion: str,
        *,
        direction: Direction = "match",
        languages: Sequence[str] = ("en",),
        **more: Any,
    ) -> Recommendation:
        """What fits an emotion.

        Args:
            emotion: one of the seven.
            direction: match the mood, or lift it.
            languages: of the music.
            more: the other attributes of `Wish`.

        Raises:
            SettingsError: not an emotion, or another wish that makes no sense.
            CatalogueError: the emotion's shelf lacks a quote, an activity or music.
        """
        known: Any = emotion
        return self.choose(Wish(known, direction=direction, languages=tuple(languages), **more))

    def another(self) -> Recommendation:
        """The last wish again, with other suggestions.

        Raises:
            SettingsError: nothing was asked for yet.
        """
        if self._last is None:
            raise SettingsError("nothing was recommended yet, so there is no other one")
        return self.choose(self._last)

    def choose(self, wish: Wish) -> Recommendation:
        """What fits a wish: see `recommend`."""
        shelf = self._catalogue.shelf(wish.shelf)
        if not (shelf.quotes and shelf.activities and shelf.music):
            raise CatalogueError(f"{wish.shelf}: needs a quote, an activity and a piece of music")
        thumbs = self._thumbs() if self._thumbs else {}
        with self._lock:
            self._last = wish
            return Recommendation(
                wish.mood,
                wish.direction,
                self._pick(_quotes(shelf, wish), 1, thumbs)[0],
                self._pick(_activities(shelf, wish), 1, thumbs)[0],
                tuple(self._pieces(shelf, wish, thumbs)),
                _care(wish),
            )

    def forget(self) -> None:
        """A new session: everything is new again."""
        with self._lock:
            self._shown.clear()

    def _pieces(self, shelf: Shelf, wish: Wish, thumbs: Mapping[str, int]) -> list[Music]:
        """Pieces of the wished languages; when lifting, one of each step in turn.

        The iso principle of music therapy: meet the mood first, then lead away from it by steps
        (Altshuler 1948; Starcke et al. 2021, doi:10.3390/ijerph182312486).
        """
        spoken = [m for m in shelf.music if m.language in wish.languages]
        wordless = [m for m in shelf.music if m.language == INSTRUMENTAL]
        kinds = [kind for kind in (spoken, wordless) if kind] or [list(shelf.music)]
        if wish.direction == "match":
            near = [[m for m in kind if m.step < PIECES] for kind in kinds]
            return self._pick([near[0], kinds[0], *near[1:], *kinds[1:]], PIECES, thumbs)
        steps = [
            [[m for m in kind if m.step == step] for kind in kinds] for step in range(1, PIECES + 1)
        ]
        return [piece for tiers in steps if any(tiers) for piece in self._pick(tiers, 1, thumbs)]

    def _pick(
        self, tiers: Sequence[Sequence[Entry]], count: int, thumbs: Mapping[str, int]
    ) -> list[Entry]:
        """Unseen entries at random, of the first tier that has some.

        When all were shown, all are new again. What has a thumb down comes only when every entry
        has one.
        """
        everything = {entry.id: entry for tier in tiers for entry in tier}
        kept = {name for name in everything if _thumb(thumbs, name) >= 0} or set(everything)
        count = min(count, len(kept))
        chosen: dict[str, Entry] = {}
        for _ in range(2):
            for tier in tiers:
                fresh = {e.id: e for e in tier if e.id in kept - self._shown - chosen.keys()}
                order = sorted(fresh, key=lambda name: self._draw(thumbs, name), reverse=True)
                chosen |= {name: fresh[name] for name in order[: count - len(chosen)]}
            if len(chosen) == count:
                break
            self._shown -= everything.keys()
        self._shown |= chosen.keys()
        return list(chosen.values())

    def _draw(self, thumbs: Mapping[str, int], name: str) -> float:
        """A key whose order is a weighted sample (Efraimidis and Spirakis 2006)."""
        weight = LIKED if _thumb(thumbs, name) > 0 else 1.0
        return float(self._chance.random() ** (1 / weight))


def _thumb(thumbs: Mapping[str, int], name: str) -> int:
    return thumbs.get(name, 0)


def _care(wish: Wish) -> str | None:
    if wish.mood not in UNPLEASANT:
        return None
    return CARE_LONG if (wish.held_s or 0) >= LONG_S else CARE


def _timely(entry: Quote | Activity, wish: Wish) -> bool:
    return wish.hour is None or part_of_day(wish.hour) in entry.times


def _quotes(shelf: Shelf, wish: Wish) -> list[list[Quote]]:
    fitting = [q for q in shelf.quotes if wish.direction in q.directions]
    return [[q for q in fitting if _timely(q, wish)], fitting, list(shelf.quotes)]


def _activities(shelf: Shelf, wish: Wish) -> list[list[Activity]]:
    """The user's limits hold as long as anything fits them; the rest is a matter of order."""
    able = [a for a in shelf.activities if _possible(a, wish)] or list(shelf.activities)
    timely = [a for a in able if _timely(a, wish)]
    fitting = [a for a in timely if wish.direction in a.directions]
    brief = wish.held_s is not None and wish.held_s < BRIEF_S
    short = [a for a in fitting if a.minutes <= BRIEF_MINUTES] if brief else []
    return [short, fitting, timely, able]


def _possible(activity: Activity, wish: Wish) -> bool:
    return (
        (wish.minutes is None or activity.minutes <= wish.minutes)
        and (wish.place == "anywhere" or activity.place in (wish.place, "anywhere"))
        and (wish.company == "either" or activity.company in (wish.company, "either"))
    )
