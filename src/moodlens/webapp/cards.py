"""The pieces that pages are made of: a face's card, the seven bars, empty states."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from moodlens.emotions import STYLES
from moodlens.types import Face
from moodlens.webapp import figures
from moodlens.webapp.pictures import FacePictures

POOR_QUALITY = 0.5
SMALL_FACE_PX = 40
FAR_TURN_DEG = 35.0


def probability_bars(face: Face) -> None:
    """Seven bars, in the order of the contract, the shown one marked."""
    st.html(figures.bars(face.scores, face.emotion, "probability-bars"))


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


def face_card(
    face: Face, number: int, *, several: bool, pictures: FacePictures | None, attention: bool
) -> None:
    """All that is known of a face on a picture.

    Args:
        face: of an analysis.
        number: from 1.
        several: whether there are others, so that the number matters.
        pictures: of the face; None for none.
        attention: show the map of where the network looked, where there is one.
    """
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            if pictures is not None:
                mapped = pictures.attention if attention else None
                said = "where the network looked" if mapped else "as it is framed"
                st.image(
                    mapped or pictures.crop, caption=said, width=112, alt=f"Face {number}, {said}"
                )
            with st.container(width="stretch", gap="small"):
                face_heading(face, number if several else None)
                if face.quality is not None:
                    st.caption(quality_line(face))
        probability_bars(face)


def quality_line(face: Face) -> str:
    """How well a face can be judged, and what lowers it, in words."""
    quality = face.quality
    if quality is None:
        return ""
    faults = []
    if quality.face_px < SMALL_FACE_PX:
        faults.append("small")
    if quality.sharpness < POOR_QUALITY:
        faults.append("not sharp")
    if quality.exposure < POOR_QUALITY:
        faults.append("badly lit")
    if quality.visible < 0.9:
        faults.append("cut off by the picture's edge")
    if quality.yaw_deg is not None and abs(quality.yaw_deg) > FAR_TURN_DEG:
        faults.append("turned aside")
    line = f"Quality {quality.score:.0%} · {quality.face_px:.0f} px wide"
    return f"{line} · {', '.join(faults)}" if faults else line


def promises(what: Sequence[tuple[str, str, str]]) -> None:
    """What an empty page will show.

    Args:
        what: an emoji, a name, a sentence each.
    """
    for column, (emoji, name, sentence) in zip(st.columns(len(what)), what, strict=True):
        with column.container(border=True, height="stretch"):
            st.markdown(f"{emoji} **{name}**")
            st.caption(sentence)


def no_face(*, black: bool = False) -> None:
    """What to say when there is none.

    Args:
        black: the picture shows nothing at all.
    """
    if black:
        st.info(
            "This picture is black: the camera was covered or not ready yet. Take it again.",
            icon="🌑",
        )
        return
    st.info(
        "No face found on this picture. Faces must be at least 24 pixels wide and look roughly "
        "towards the camera.",
        icon="🔍",
    )
