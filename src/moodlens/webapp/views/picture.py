"""The picture page: uploads, a snapshot or a sample; a card for each face."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from moodlens.errors import MoodlensError
from moodlens.imaging import load_image
from moodlens.imaging.draw import draw
from moodlens.webapp import cards
from moodlens.webapp.shared import own_recommender, shared_lens

SAMPLES = Path(__file__).parents[1] / "samples"
KINDS = ["jpg", "jpeg", "png", "webp", "bmp"]


def show() -> None:
    """Draw the page."""
    st.title("What does this face seem to say?")
    upload, camera, sample = st.tabs(["Upload", "Snapshot", "Sample"])
    pictures: list[tuple[str, bytes]] = []
    with upload:
        files = st.file_uploader(
            "Pictures", type=KINDS, accept_multiple_files=True, help="They stay in memory."
        )
        pictures += [(file.name, file.getvalue()) for file in files or []]
    with camera:
        if st.toggle("Use the camera", help="One picture; it stays in memory."):
            shot = st.camera_input("Take a picture")
            if shot is not None:
                pictures.append(("snapshot", shot.getvalue()))
    with sample:
        pictures += _samples()
    if not pictures:
        st.caption(
            "Add a picture to see every face's apparent emotion, seven probabilities, "
            "and suggestions that fit."
        )
    for name, data in pictures:
        _one(name, data)


def _samples() -> list[tuple[str, bytes]]:
    found = sorted(SAMPLES.glob("*.png"))
    st.caption("Averages of hundreds of faces each: they show nobody.")
    for column, path in zip(st.columns(max(len(found), 1)), found, strict=False):
        with column:
            st.image(path.read_bytes(), width=140)
            if st.button(path.stem.replace("-", " "), key=f"sample-{path.name}"):
                st.session_state.sample = path.name
    chosen = st.session_state.get("sample")
    return [(p.name, p.read_bytes()) for p in found if p.name == chosen]


def _one(name: str, data: bytes) -> None:
    try:
        frame = load_image(data)
        analysis = shared_lens().analyze(frame, source=name, thorough=True)
    except MoodlensError as error:
        st.error(f"{name}: {error}".replace("*", r"\*"), icon="🚫")
        return
    st.divider()
    left, right = st.columns([3, 2])
    with left:
        st.image(draw(frame, analysis), channels="BGR", caption=name)
    with right:
        if not analysis.faces:
            cards.no_face()
        for number, face in enumerate(analysis.faces, start=1):
            cards.face_heading(face, number if len(analysis.faces) > 1 else None)
            cards.probability_bars(face)
    if analysis.largest is not None:
        face = analysis.largest
        with st.container(border=True):
            st.subheader("For this mood")
            cards.recommendation_card(
                own_recommender().recommend(face.emotion, confidence=face.confidence)
            )
