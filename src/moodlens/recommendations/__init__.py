"""Suggestions that fit an emotion: a quote, an activity, music."""

from moodlens.recommendations.catalogue import (
    Activity,
    Catalogue,
    Music,
    Quote,
    load_catalogue,
    search_links,
)
from moodlens.recommendations.choosing import Recommendation, Recommender

__all__ = [
    "Activity",
    "Catalogue",
    "Music",
    "Quote",
    "Recommendation",
    "Recommender",
    "load_catalogue",
    "search_links",
]
