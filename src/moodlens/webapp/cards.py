"""The pieces that pages are made of: bars, a face's card, recommendations."""

from __future__ import annotations

from html import escape

import streamlit as st

from moodlens.emotions import EMOTIONS, STYLES
from moodlens.recommendations import Recommendation
from moodlens.types import Face


def probability_bars(face: Face) -> None:
    """Seven bars, in the order of the contract, the shown one marked."""
    rows = []
    for emotion in EMOTIONS:
        style, p = STYLES[emotion], face.scores[emotion]
        weight = "700" if emotion == face.emotion else "400"
        rows.append(
            f'<div role="img" aria-label="{emotion} {p:.0%}" style="display:grid;'
            "grid-template-columns:7.5rem 1fr 3rem;gap:.5rem;align-items:center;"
            f'font-weight:{weight}">'
            f"<span>{style.emoji} {emotion}</span>"
            '<span style="background:rgba(128,128,128,.18);border-radius:.4rem;height:.8rem">'
            f'<span style="display:block;width:{100 * p:.1f}%;background:{style.hex_color};'
            'height:.8rem;border-radius:.4rem"></span></span>'
            f'<span style="text-align:right;font-variant-numeric:tabular-nums">{p:.0%}</span></div>'
        )
    st.html(f'<div data-testid="probability-bars">{"".join(rows)}</div>')


def face_heading(face: Face, number: int | None = None) -> None:
    """The emotion, how sure, and the doubt."""
    style = STYLES[face.emotion]
    who = "" if number is None else f"Face {number}: "
    st.markdown(f"### {who}{style.emoji} {face.emotion}")
    line = f"Confidence **{face.confidence:.0%}**"
    others = [e for e in face.prediction_set if e != face.emotion]
    if others:
        line += f" · could also be {' or '.join(others)}"
    st.markdown(line)
    if face.uncertain:
        st.caption("The model is not sure about this face.")


def recommendation_card(found: Recommendation) -> None:
    """A quote, an activity and music links."""
    said = found.to_dict()
    quote, activity = said["quote"], said["activity"]
    source = f"{_plain(quote['author'])}, {_plain(quote['work'])}"
    st.markdown(f"> *{_plain(quote['text'])}*\n>\n> — {source}")
    st.markdown(f"**{_plain(activity['title'])}** · {activity['minutes']} min")
    st.markdown(_plain(activity["text"]))
    for piece in said["music"]:
        links = " · ".join(f"[{name}]({url})" for name, url in piece["links"].items())
        st.markdown(f"🎵 {_plain(piece['title'])} — {_plain(piece['artist'])}  \n{links}")
    if said.get("care_note"):
        st.info(said["care_note"])


def no_face() -> None:
    """What to say when there is none."""
    st.info(
        "No face found on this picture. Faces must be at least 24 pixels wide and look roughly "
        "towards the camera.",
        icon="🔍",
    )


def _plain(text: str) -> str:
    """Text from a file, shown as text."""
    return escape(text, quote=False).replace("*", r"\*").replace("_", r"\_").replace("[", r"\[")
