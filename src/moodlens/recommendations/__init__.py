"""Suggestions that fit an emotion: a quote, an activity, music."""

from moodlens.recommendations.catalogue import Catalogue, load_catalogue
from moodlens.recommendations.choosing import Recommendation, Recommender, Wish
from moodlens.recommendations.entries import (
    INSTRUMENTAL,
    LANGUAGES,
    Activity,
    Music,
    Quote,
    Shelf,
    part_of_day,
    search_links,
)

__all__ = [
    "INSTRUMENTAL",
    "LANGUAGES",
    "Activity",
    "Catalogue",
    "Music",
    "Quote",
    "Recommendation",
    "Recommender",
    "Shelf",
    "Wish",
    "load_catalogue",
    "part_of_day",
    "search_links",
]
