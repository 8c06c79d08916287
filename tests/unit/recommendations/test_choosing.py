"""Choosing keeps its promises, whatever is wished for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import CatalogueError, SettingsError
from moodlens.recommendations import (
    INSTRUMENTAL,
    Catalogue,
    Recommendation,
    Recommender,
    Wish,
    load_catalogue,
    part_of_day,
)

emotions = st.sampled_from(EMOTIONS)
spoken = st.sets(st.sampled_from(["en", "hi", "es", "te", INSTRUMENTAL]), min_size=1)
seeds = st.integers(0, 10_000)
wishes = st.builds(
    Wish,
    emotion=emotions,
    confidence=st.floats(0, 1),
    held_s=st.none() | st.floats(0, 10_000),
    hour=st.none() | st.integers(0, 23),
    direction=st.sampled_from(["match", "lift"]),
    languages=spoken.map(lambda chosen: tuple(sorted(chosen))),
    own_mood=st.none() | emotions,
    minutes=st.none() | st.integers(1, 120),
    place=st.sampled_from(["anywhere", "indoors", "outdoors"]),
    company=st.sampled_from(["either", "alone", "others"]),
)


def ids(found: Recommendation) -> list[str]:
    return [found.quote.id, found.activity.id, *(piece.id for piece in found.music)]


@settings(deadline=None)
@given(wish=wishes, seed=seeds)
def test_every_wish_gets_an_answer_from_its_shelf(wish: Wish, seed: int) -> None:
    found = Recommender(seed=seed).choose(wish)
    shelf = load_catalogue().shelf(wish.shelf)
    assert found.emotion == (wish.own_mood or wish.emotion)
    assert found.quote in shelf.quotes
    assert found.activity in shelf.activities
    assert len(found.music) == len(set(found.music)) == 3
    assert {piece.language for piece in found.music} <= {*wish.languages, INSTRUMENTAL}
    assert wish.direction in found.quote.directions


@settings(deadline=None)
@given(wish=wishes, seed=seeds)
def test_the_limits_of_an_activity_hold_where_anything_fits(wish: Wish, seed: int) -> None:
    shelf = load_catalogue().shelf(wish.shelf)
    able = [
        a
        for a in shelf.activities
        if a.minutes <= (wish.minutes or 240)
        and (wish.place == "anywhere" or a.place in (wish.place, "anywhere"))
        and (wish.company == "either" or a.company in (wish.company, "either"))
    ]
    recommender = Recommender(seed=seed)
    for _ in range(4):
        found = recommender.choose(wish).activity
        assert not able or found in able
    first = Recommender(seed=seed).choose(wish).activity
    if wish.hour is not None and any(part_of_day(wish.hour) in a.times for a in able):
        assert part_of_day(wish.hour) in first.times


@settings(deadline=None, max_examples=40)
@given(emotion=emotions, direction=st.sampled_from(["match", "lift"]), seed=seeds)
def test_nothing_comes_twice_before_everything_came_once(
    emotion: Emotion, direction: Any, seed: int
) -> None:
    recommender = Recommender(seed=seed)
    shelf = load_catalogue().shelf(emotion)
    found = [recommender.recommend(emotion, direction=direction) for _ in shelf.quotes]
    assert {one.quote for one in found} == set(shelf.quotes)
    assert {one.activity for one in found[: len(shelf.activities)]} == set(shelf.activities)
    assert recommender.another().quote in shelf.quotes


@settings(deadline=None, max_examples=40)
@given(emotion=emotions, language=st.sampled_from(["en", "hi", "es", "te"]), seed=seeds)
def test_lifting_goes_from_the_mood_step_by_step(
    emotion: Emotion, language: str, seed: int
) -> None:
    found = Recommender(seed=seed).recommend(emotion, direction="lift", languages=(language,))
    assert [piece.step for piece in found.music] == [1, 2, 3]
    assert {piece.language for piece in found.music} == {language}


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_matching_stays_near_the_mood_first(emotion: Emotion) -> None:
    found = Recommender(seed=2).recommend(emotion, languages=("en", "hi", "es", "te"))
    assert all(piece.step < 3 for piece in found.music)


@settings(deadline=None, max_examples=40)
@given(wish=wishes, seed=seeds)
def test_the_same_seed_suggests_the_same(wish: Wish, seed: int) -> None:
    first = Recommender(seed=seed).choose(wish).to_dict()
    assert Recommender(seed=seed).choose(wish).to_dict() == first


def test_a_thumb_down_keeps_an_entry_away_and_is_asked_for_each_time() -> None:
    thumbs: dict[str, int] = {}
    recommender = Recommender(seed=1, thumbs=lambda: thumbs)
    first = recommender.recommend("sad")
    thumbs |= dict.fromkeys(ids(first), -1)
    later = [name for _ in range(60) for name in ids(recommender.another())]
    assert not set(later) & set(ids(first))


def test_when_all_are_disliked_something_still_comes() -> None:
    shelf = load_catalogue().shelf("fear")
    thumbs = {entry.id: -1 for entry in (*shelf.quotes, *shelf.activities, *shelf.music)}
    assert Recommender(seed=1, thumbs=lambda: thumbs).recommend("fear").quote in shelf.quotes


def test_a_thumb_up_makes_an_entry_come_more_often() -> None:
    liked = load_catalogue().shelf("happy").quotes[0]

    def first_times(thumbs: dict[str, int]) -> int:
        return sum(
            Recommender(seed=seed, thumbs=lambda: thumbs).recommend("happy").quote == liked
            for seed in range(400)
        )

    assert first_times({liked.id: 1}) > 1.5 * first_times({})


def test_an_unsure_emotion_gets_the_suggestions_of_a_calm_moment() -> None:
    neutral = set(load_catalogue().shelf("neutral").quotes)
    found = Recommender(seed=1).recommend("angry", confidence=0.2)
    assert found.quote in neutral
    assert found.emotion == "angry"


def test_the_users_own_word_goes_first() -> None:
    found = Recommender(seed=1).recommend("angry", confidence=0.2, own_mood="happy")
    assert found.emotion == "happy"
    assert found.quote in load_catalogue().shelf("happy").quotes
    assert found.care_note is None


def test_a_passing_mood_gets_something_short() -> None:
    for seed in range(30):
        found = Recommender(seed=seed).recommend("sad", held_s=5.0)
        assert found.activity.minutes <= 10


def test_heavy_moods_come_with_careful_words() -> None:
    for emotion in ("angry", "disgust", "fear", "sad"):
        note = Recommender(seed=1).recommend(emotion, held_s=30).care_note
        longer = Recommender(seed=1).recommend(emotion, held_s=3600).care_note
        assert note is not None
        assert "not medical advice" in note
        assert longer is not None
        assert "doctor" in longer
    assert Recommender(seed=1).recommend("surprise").care_note is None


def test_a_translation_reaches_our_texts_and_leaves_names_alone() -> None:
    found = Recommender(seed=1).recommend("sad")
    said = found.to_dict(translate=str.upper)
    assert said["activity"]["title"] == found.activity.title.upper()
    assert said["quote"]["text"] == found.quote.text.upper()
    assert said["care_note"] == str(found.care_note).upper()
    assert said["quote"]["author"] == found.quote.author
    assert said["music"] == found.to_dict()["music"]


def test_a_forgotten_session_starts_anew() -> None:
    recommender = Recommender(seed=1)
    shown = {recommender.recommend("happy").quote.id for _ in range(10)}
    recommender.forget()
    again = {recommender.recommend("happy").quote.id for _ in range(30)}
    assert shown <= again


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"emotion": "joyful"}, "joyful"),
        ({"emotion": "sad", "own_mood": "blue"}, "blue"),
        ({"emotion": "sad", "hour": 24}, "24"),
        ({"emotion": "sad", "direction": "up"}, "up"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(wish: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Recommender().recommend(**wish)


def test_another_needs_a_first() -> None:
    with pytest.raises(SettingsError, match="nothing was recommended"):
        Recommender().another()


def test_an_empty_shelf_is_named() -> None:
    with pytest.raises(CatalogueError, match="sad"):
        Recommender(Catalogue(packaged=False)).recommend("sad")


@pytest.mark.parametrize(
    ("hour", "part"),
    [(4, "night"), (5, "morning"), (12, "afternoon"), (17, "evening"), (22, "night")],
)
def test_the_parts_of_the_day(hour: int, part: str) -> None:
    assert part_of_day(hour) == part
