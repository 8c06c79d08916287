"""Suggestions for a mood: chosen, changed, judged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from moodlens.emotions import EMOTIONS, STYLES, Emotion
from moodlens.recommendations import LANGUAGES, Recommendation, Recommender, Wish
from moodlens.recommendations.choosing import LONG_S
from moodlens.webapp.shared import shared_catalogue, with_history
from moodlens.webapp.text import plain

DIRECTIONS = {"match": "Match my mood", "lift": "Lift my mood"}
COMPANY = {"alone": "alone", "others": "with others"}
CHOSEN_LANGUAGES, CHOSEN_DIRECTION = "chosen-languages", "chosen-direction"
"""Under these names a session keeps what was chosen, on whichever page it was."""


@st.fragment
def suggestions(
    emotion: Emotion, confidence: float, place: str, held_s: float | None = None
) -> None:
    """A card with a quote, an activity and music; it changes only when the mood or a choice does.

    Args:
        emotion: that is shown.
        confidence: 0 to 1; see `Wish`.
        place: a name for this card, unique on the page.
        held_s: how long it has lasted, in seconds; None where that means nothing. When it becomes
            long, the card changes, too: its words of care are others then.
    """
    with st.container(border=True):
        st.subheader("For this mood")
        with st.container(horizontal=True, vertical_alignment="center"):
            direction, languages, own = _choices(place)
            again = st.button("Another", key=f"another-{place}", icon=":material/refresh:")
        wanted = (own or emotion, direction, languages, (held_s or 0.0) >= LONG_S)
        kept = st.session_state.get(f"found-{place}")
        if kept is None or kept[0] != wanted or again:
            wish = Wish(
                emotion,
                confidence=confidence,
                held_s=held_s,
                hour=hour_there(st.context.timezone_offset),
                direction="lift" if direction == "lift" else "match",
                languages=languages,
                own_mood=own,
            )
            kept = st.session_state[f"found-{place}"] = (wanted, own_recommender().choose(wish))
        _card(kept[1], place)


def hour_there(offset_min: int | None) -> int:
    """The hour on the viewer's clock.

    Args:
        offset_min: minutes from their time to UTC, as a browser says it; None: this machine's own.
    """
    if offset_min is None:
        return datetime.now().astimezone().hour
    return (datetime.now(UTC) - timedelta(minutes=offset_min)).hour


def own_recommender() -> Recommender:
    """The viewer's own: it remembers what was shown, so that nothing comes twice."""
    if "recommender" not in st.session_state:
        st.session_state.recommender = Recommender(shared_catalogue(), thumbs=_thumbs)
    return st.session_state.recommender  # type: ignore[no-any-return]


@st.cache_resource(show_spinner=False)
def offered_languages() -> list[str]:
    """The codes of all languages that the catalogue has music in."""
    shelves = shared_catalogue().shelves.values()
    return sorted({piece.language for shelf in shelves for piece in shelf.music})


def _choices(place: str) -> tuple[str, tuple[str, ...], Emotion | None]:
    """Direction, languages, and the viewer's own word for the mood, if they gave one."""
    direction = st.segmented_control(
        "Suggestions that",
        list(DIRECTIONS),
        format_func=DIRECTIONS.__getitem__,
        default=st.session_state.get(CHOSEN_DIRECTION, "match"),
        key=f"direction-{place}",
        label_visibility="collapsed",
    )
    with st.popover("Choose", help="Another mood than the one shown; languages of the music"):
        offered = offered_languages()
        before = st.session_state.get(CHOSEN_LANGUAGES, ["en"])
        languages = st.multiselect(
            "Languages of the music",
            offered,
            default=[code for code in before if code in offered],
            format_func=lambda code: LANGUAGES.get(code, code),
            key=f"languages-{place}",
        )
        own: Emotion | None = st.selectbox(
            "My mood",
            [None, *EMOTIONS],
            format_func=lambda e: "as shown" if e is None else f"{STYLES[e].emoji} {e}",
            key=f"mood-{place}",
        )
    # A widget forgets its value with its page; these outlast it.
    st.session_state[CHOSEN_DIRECTION] = direction or "match"
    st.session_state[CHOSEN_LANGUAGES] = languages
    return direction or "match", tuple(languages) or ("en",), own


def _thumbs() -> dict[str, int]:
    if "thumbs" not in st.session_state:
        kept = with_history(lambda history: history.thumbs(), "Your thumbs can't be read")
        st.session_state.thumbs = kept or {}
    known: dict[str, int] = st.session_state.thumbs
    return known


def _card(found: Recommendation, place: str) -> None:
    said = found.to_dict()
    quote, activity = said["quote"], said["activity"]
    source = f"{plain(quote['author'])}, {plain(quote['work'])}"
    st.markdown(f"> *{plain(quote['text'])}*\n>\n> — {source}")
    _thumb("this quote", found.quote.id, place)
    st.markdown(f"**{plain(activity['title'])}** · {_circumstances(activity)}")
    st.markdown(plain(activity["text"]))
    if activity["source"]:
        st.caption(f"Source: {plain(activity['source'])}")
    _thumb("this activity", found.activity.id, place)
    for piece in said["music"]:
        links = " · ".join(f"[{name}]({url})" for name, url in piece["links"].items())
        st.markdown(f"🎵 {plain(piece['title'])} — {plain(piece['artist'])}  \n{links}")
    if said.get("care_note"):
        st.info(plain(said["care_note"]))


def _circumstances(activity: Mapping[str, Any]) -> str:
    """Such as `15 min · outdoors · with others`."""
    place = None if activity["place"] == "anywhere" else activity["place"]
    parts = (f"{activity['minutes']} min", place, COMPANY.get(activity["company"]))
    return " · ".join(part for part in parts if part)


def _thumb(what: str, name: str, place: str) -> None:
    """Two thumbs on an entry, remembered in the history database under its id."""
    key = f"thumb-{place}-{name}"
    before = _thumbs().get(name)
    if key not in st.session_state and before is not None:
        st.session_state[key] = 1 if before > 0 else 0
    chosen = st.feedback("thumbs", key=key)
    value = None if chosen is None else (1 if chosen else -1)
    if value == before or (value is None and before is None):
        return
    _thumbs()[name] = value or 0
    if value is None:
        _thumbs().pop(name)
    with_history(
        lambda history: history.set_thumb(name, value or 0), f"Your thumb on {what} is not saved"
    )
