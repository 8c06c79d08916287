"""Choosing from the catalogue: what fits, and nothing twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import SettingsError
from moodlens.recommendations.catalogue import (
    Activity,
    Catalogue,
    Direction,
    Music,
    Quote,
    load_catalogue,
    search_links,
)

PIECES = 3
Item = TypeVar("Item", Quote, Activity, Music)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A quote, an activity and pieces of music for an emotion."""

    emotion: Emotion
    direction: Direction
    quote: Quote
    activity: Activity
    music: tuple[Music, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the music's links."""
        return {
            "emotion": self.emotion,
            "direction": self.direction,
            "quote": self.quote.model_dump(include={"text", "author", "work"}),
            "activity": self.activity.model_dump(include={"title", "text", "minutes"}),
            "music": [
                {
                    "artist": piece.artist,
                    "title": piece.title,
                    "language": piece.language,
                    "links": search_links(piece.artist, piece.title),
                }
                for piece in self.music
            ],
        }


class Recommender:
    """Chooses for one viewer; remembers what was shown. Safe to share between threads."""

    def __init__(self, catalogue: Catalogue | None = None, *, seed: int | None = None) -> None:
        self._catalogue = catalogue or load_catalogue()
        self._chance = random.Random(seed)
        self._shown: set[str] = set()
        self._lock = threading.Lock()

    def recommend(
        self,
        emotion: str,
        *,
        confidence: float = 1.0,
        direction: Direction = "match",
        languages: Sequence[str] = ("en",),
    ) -> Recommendation:
        """What fits an emotion.

        Args:
            emotion: one of the seven.
            confidence: 0 to 1; below a third the suggestions are those of *neutral*.
            direction: match the mood, or lift it.
            languages: of the music, two letters each; where none fits, any.

        Raises:
            SettingsError: not an emotion.
        """
        if emotion not in EMOTIONS:
            raise SettingsError(f"unknown emotion {emotion!r}; one of {', '.join(EMOTIONS)}")
        known: Emotion = emotion
        shelf = self._catalogue.shelf("neutral" if confidence < 1 / 3 else known)
        spoken = [m for m in shelf.music if m.language in languages] or list(shelf.music)
        with self._lock:
            return Recommendation(
                known,
                direction,
                self._pick(shelf.quotes, direction, 1)[0],
                self._pick(shelf.activities, direction, 1)[0],
                tuple(self._pick(spoken, direction, PIECES)),
            )

    def _pick(self, items: Sequence[Item], direction: Direction, count: int) -> list[Item]:
        """Unseen items at random; when they run out, all are new again."""
        fitting = [item for item in items if direction in item.directions] or list(items)
        count = min(count, len(fitting))
        fresh = [item for item in fitting if item.id not in self._shown]
        if len(fresh) < count:
            self._shown -= {item.id for item in fitting}
            fresh = fitting
        chosen = self._chance.sample(fresh, count)
        self._shown |= {item.id for item in chosen}
        return chosen
