"""The card of suggestions: what the viewer chose reaches the recommender and stays chosen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from moodlens.recommendations import Recommender, Wish
from moodlens.recommendations.entries import CARE, CARE_LONG
from moodlens.webapp.suggestions import hour_there


def page() -> None:
    import streamlit as st

    from moodlens.webapp.suggestions import suggestions

    place = st.session_state.get("place", "one")
    suggestions("sad", 0.9, place, st.session_state.get("held_s"))


@pytest.fixture
def wishes(monkeypatch: pytest.MonkeyPatch) -> list[Wish]:
    """What the recommender was asked for."""
    asked: list[Wish] = []
    choose = Recommender.choose

    def noting(self: Recommender, wish: Wish) -> object:
        asked.append(wish)
        return choose(self, wish)

    monkeypatch.setattr(Recommender, "choose", noting)
    return asked


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(page, default_timeout=120)


def test_choices_reach_the_recommender_and_outlast_the_page(
    app: AppTest, wishes: list[Wish]
) -> None:
    app.session_state["held_s"] = 30.0
    app.run()
    assert not app.exception
    (first,) = wishes
    assert (first.emotion, first.own_mood, first.held_s) == ("sad", None, 30.0)
    assert first.confidence == 0.9
    assert first.languages == ("en",)
    assert first.hour is not None

    app.run()
    assert len(wishes) == 1  # nothing changed, so the card stays

    app.multiselect(key="languages-one").set_value(["hi", "te"]).run()
    app.selectbox(key="mood-one").set_value("fear").run()
    assert wishes[-1].languages == ("hi", "te")
    assert (wishes[-1].emotion, wishes[-1].own_mood, wishes[-1].mood) == ("sad", "fear", "fear")

    app.session_state["place"] = "two"
    app.run()
    assert not app.exception
    assert wishes[-1].languages == ("hi", "te")
    assert wishes[-1].own_mood is None  # a word for one picture says nothing of the next


def test_a_mood_that_becomes_long_changes_the_words_of_care(
    app: AppTest, wishes: list[Wish]
) -> None:
    app.session_state["held_s"] = 590.0
    app.run()
    assert [note.value.replace("\\", "") for note in app.info] == [CARE]
    app.session_state["held_s"] = 610.0
    app.run()
    assert [note.value.replace("\\", "") for note in app.info] == [CARE_LONG]
    assert len(wishes) == 2


def test_thumbs_that_were_remembered_reach_the_recommender(app: AppTest) -> None:
    app.session_state["thumbs"] = {"quote:x": -1}
    app.run()
    recommender = app.session_state["recommender"]
    assert not app.exception
    assert recommender._thumbs is not None


def test_the_hour_is_that_of_the_viewers_clock() -> None:
    now = datetime.now(UTC)
    assert hour_there(-330) in {
        (now + timedelta(minutes=330)).hour,
        (now + timedelta(minutes=331)).hour,
    }
    assert hour_there(None) in range(24)
