"""The packaged entries are enough, sound and traceable, and the user's own are checked."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import CatalogueError
from moodlens.recommendations import (
    INSTRUMENTAL,
    LANGUAGES,
    Catalogue,
    Quote,
    load_catalogue,
    search_links,
)

QUOTES, ACTIVITIES, MUSIC, MUSIC_PER_STEP = 25, 20, 15, 2
EVIDENCE = re.compile(r"\b(found|study|studies|research|experiments?|evidence|proven)\b", re.I)
CITED = re.compile(r"^[^()]+ \(\d{4}\), .+, doi:10\.\d{4,9}/\S+$")
PROMISES = re.compile(r"\b(cure|heal|therapy|treatment|diagnos\w+|guarantee\w*|just relax)\b", re.I)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_shelf_holds_enough(emotion: Emotion) -> None:
    shelf = load_catalogue().shelf(emotion)
    assert len(shelf.quotes) >= QUOTES
    assert len(shelf.activities) >= ACTIVITIES
    assert len(shelf.music) >= MUSIC


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_leads_from_the_mood_to_its_end(emotion: Emotion, language: str) -> None:
    pieces = [m for m in load_catalogue().shelf(emotion).music if m.language == language]
    steps = Counter(piece.step for piece in pieces)
    assert all(steps[step] >= MUSIC_PER_STEP for step in (1, 2, 3))


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("direction", ["match", "lift"])
def test_both_directions_have_a_choice(emotion: Emotion, direction: str) -> None:
    shelf = load_catalogue().shelf(emotion)
    assert sum(direction in quote.directions for quote in shelf.quotes) >= 10
    assert sum(direction in activity.directions for activity in shelf.activities) >= 10


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_nobody_is_sent_out_of_doors_at_night(emotion: Emotion) -> None:
    for activity in load_catalogue().shelf(emotion).activities:
        assert not (activity.place == "outdoors" and "night" in activity.times), activity.title


def test_nothing_stands_twice_in_the_whole_catalogue() -> None:
    names = Counter(
        re.sub(r"\W+", " ", text).casefold()
        for shelf in load_catalogue().shelves.values()
        for text in (
            *(quote.text for quote in shelf.quotes),
            *(activity.title for activity in shelf.activities),
            *(activity.text for activity in shelf.activities),
            *(f"{piece.artist} {piece.title}" for piece in shelf.music),
        )
    )
    assert [name for name, times in names.items() if times > 1] == []


def test_ids_are_unique_and_short_enough_for_the_history() -> None:
    ids = [
        entry.id
        for shelf in load_catalogue().shelves.values()
        for entry in (*shelf.quotes, *shelf.activities, *shelf.music)
    ]
    assert len(ids) == len(set(ids))
    assert max(map(len, ids)) <= 200


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_quote_can_be_traced(emotion: Emotion) -> None:
    for quote in load_catalogue().shelf(emotion).quotes:
        assert quote.year, quote.text
        assert quote.year in quote.citation
        assert len(quote.text) <= 200, f"not a short citation: {quote.text}"
        assert not re.match(r"(?i)unknown|anonymous|proverb$", quote.author)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_evidence_is_claimed_with_its_source_and_only_then(emotion: Emotion) -> None:
    for activity in load_catalogue().shelf(emotion).activities:
        assert bool(EVIDENCE.search(activity.text)) == bool(activity.source), activity.title
        assert activity.source is None or CITED.match(activity.source), activity.source
        assert not PROMISES.search(activity.title + activity.text), activity.title


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_activities_fit_an_hour_or_two_and_every_part_of_the_day(emotion: Emotion) -> None:
    activities = load_catalogue().shelf(emotion).activities
    assert all(activity.minutes <= 90 for activity in activities)
    for part in ("morning", "afternoon", "evening", "night"):
        assert sum(part in activity.times for activity in activities) >= 8
    assert sum(activity.minutes <= 10 for activity in activities) >= 6
    assert {"alone", "others"} <= {activity.company for activity in activities}
    assert "outdoors" in {activity.place for activity in activities}


def test_translations_are_named() -> None:
    quote = Quote(text="Some words", author="Horace", work="Odes", year="23 BCE", translator="own")
    assert quote.citation == "Odes (our translation, 23 BCE)"
    other = Quote(text="Some words", author="Laozi", work="Tao Te Ching, 8", translator="J. Legge")
    assert other.citation == "Tao Te Ching, 8 (tr. J. Legge)"


@given(artist=st.text(min_size=1, max_size=60), title=st.text(min_size=1, max_size=60))
def test_links_are_searches_that_hold_any_words(artist: str, title: str) -> None:
    links = search_links(artist, title)
    words = f"{artist} {title}"
    for link in links.values():
        assert urlsplit(link).scheme == "https"
        assert re.fullmatch(r"[!-~]+", link)
    query = urlsplit(links["YouTube"]).query
    assert parse_qs(query, strict_parsing=True)["search_query"] == [words]
    assert parse_qs(urlsplit(links["Apple Music"]).query)["term"] == [words]
    assert unquote(links["Spotify"].removeprefix("https://open.spotify.com/search/")) == words
    assert "/" not in links["Spotify"].removeprefix("https://open.spotify.com/search/")


def test_every_text_is_offered_for_translation_once() -> None:
    texts = list(load_catalogue().texts())
    assert len(texts) == len(set(texts))
    assert "Breathe out longer than in" in texts
    assert any("not medical advice" in text for text in texts)


def test_importing_the_package_reads_no_catalogue() -> None:
    code = "import sys, moodlens; print('yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_own_entries_are_added_and_replace_those_of_the_same_name(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "happy:\n"
        "  quotes:\n    - {text: Own words here, author: Me, work: My diary, year: 2024}\n"
        "  activities:\n    - {title: Dance to one song, text: To two songs., minutes: 8}\n"
        "  music:\n    - {artist: Édith Piaf, title: La vie en rose, language: fr}\n"
        "neutral:\n"
    )
    before, after = load_catalogue().shelf("happy"), load_catalogue(own).shelf("happy")
    assert after.quotes[-1].citation == "My diary (2024)"
    assert len(after.quotes) == len(before.quotes) + 1
    assert len(after.activities) == len(before.activities)
    assert {a.minutes for a in after.activities if a.title == "Dance to one song"} == {8}
    assert after.music[-1].language == "fr"
    assert load_catalogue(own).shelf("neutral") == load_catalogue().shelf("neutral")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("happy: [", "not YAML in line"),
        ("- a list", "expected emotions"),
        ("joyful: {}", "joyful"),
        ("happy: 3", "happy"),
        ("happy:\n  music: []\nsad: {}\nhappy: {}", "'happy' comes again in line 4"),
        ("happy:\n  songs: []", "songs"),
        ("happy:\n  quotes: x", "quotes"),
        ("happy:\n  quotes:\n    - {text: x}", r'quotes, entry 1 \("x"\), text'),
        ("happy:\n  quotes:\n    - words", "quotes, entry 1"),
        (
            "happy:\n  activities:\n    - {title: Rest, text: Sit down., minutes: 5}\n"
            "    - {title: Run, text: Run now, minutes: -3}",
            r'activities, entry 2 \("Run"\), minutes',
        ),
        ("sad:\n  music:\n    - {artist: A, title: B, language: English}", r"language"),
        ("sad:\n  music:\n    - {artist: A, title: B}\n    - {artist: A, title: B}", "2 times"),
    ],
)
def test_a_faulty_file_is_named_with_the_entry(tmp_path: Path, text: str, words: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(text)
    with pytest.raises(CatalogueError, match=words) as caught:
        load_catalogue(own)
    assert "own.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00bad", b"a: \x00"])
def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    own = tmp_path / "own.yaml"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(CatalogueError, match=r"own\.yaml"):
        load_catalogue(own)


def test_a_catalogue_can_do_without_the_packaged_entries() -> None:
    assert Catalogue(packaged=False).shelf("sad").quotes == ()
    assert INSTRUMENTAL in LANGUAGES
