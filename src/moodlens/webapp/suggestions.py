"""Suggestions for a mood: chosen, changed, judged."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from moodlens.emotions import EMOTIONS, STYLES, Emotion
from moodlens.recommendations import LANGUAGES, Recommendation, Recommender
from moodlens.webapp.shared import own_recommender, shared_catalogue, with_history
from moodlens.webapp.text import plain

DIRECTIONS = {"match": "Match my mood", "lift": "Lift my mood"}
TRIES = 6
LONGEST_ID = 200


@st.fragment
def suggestions(emotion: Emotion, confidence: float, place: str) -> None:
    """A card with a quote, an activity and music; it changes only when the mood or a choice does.

    Args:
        emotion: that is shown.
        confidence: 0 to 1; see `Recommender.recommend`.
        place: a name for this card, unique on the page.
    """
    with st.container(border=True):
        st.subheader("For this mood")
        with st.container(horizontal=True, vertical_alignment="center"):
            direction, languages, mood = _choices(emotion, place)
            again = st.button("Another", key=f"another-{place}", icon=":material/refresh:")
        wanted = (mood, direction, tuple(languages))
        kept = st.session_state.get(f"found-{place}")
        if kept is None or kept[0] != wanted or again:
            sure = confidence if mood == emotion else 1.0
            found = _unless_disliked(own_recommender(), mood, sure, direction, languages)
            kept = st.session_state[f"found-{place}"] = (wanted, found)
        _card(kept[1], place)


def _choices(emotion: Emotion, place: str) -> tuple[str, Sequence[str], Emotion]:
    direction = st.segmented_control(
        "Suggestions that",
        list(DIRECTIONS),
        format_func=DIRECTIONS.__getitem__,
        default="match",
        key=f"direction-{place}",
        label_visibility="collapsed",
    )
    with st.popover("Choose", help="Another mood than the one shown; languages of the music"):
        offered = {m.language for shelf in shared_catalogue().shelves.values() for m in shelf.music}
        languages = st.multiselect(
            "Languages of the music",
            sorted(offered),
            default=["en"] if "en" in offered else None,
            format_func=lambda code: LANGUAGES.get(code, code),
            key=f"languages-{place}",
        )
        own: Emotion | None = st.selectbox(
            "My mood",
            [None, *EMOTIONS],
            format_func=lambda e: "as shown" if e is None else f"{STYLES[e].emoji} {e}",
            key=f"mood-{place}",
        )
    return direction or "match", languages or ["en"], own or emotion


def _unless_disliked(
    recommender: Recommender, mood: str, sure: float, direction: str, languages: Sequence[str]
) -> Recommendation:
    """A recommendation whose quote and activity have no thumb down, if a few tries find one."""
    disliked = {name for name, value in _thumbs().items() if value < 0}
    found = None
    for _ in range(TRIES):
        found = recommender.recommend(
            mood,
            confidence=sure,
            direction="lift" if direction == "lift" else "match",
            languages=languages,
        )
        if not {found.quote.id[:LONGEST_ID], found.activity.id[:LONGEST_ID]} & disliked:
            break
    assert found is not None
    return found


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
    st.markdown(f"**{plain(activity['title'])}** · {activity['minutes']} min")
    st.markdown(plain(activity["text"]))
    _thumb("this activity", found.activity.id, place)
    for piece in said["music"]:
        links = " · ".join(f"[{name}]({url})" for name, url in piece["links"].items())
        st.markdown(f"🎵 {plain(piece['title'])} — {plain(piece['artist'])}  \n{links}")
    if said.get("care_note"):
        st.info(plain(said["care_note"]))


def _thumb(what: str, item_id: str, place: str) -> None:
    """Two thumbs, remembered in the history database."""
    name = item_id[:LONGEST_ID]
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
