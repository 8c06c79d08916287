"""The picture page: uploads, a snapshot or a sample; a card for each face."""

from __future__ import annotations

import hashlib
from pathlib import Path

import streamlit as st

from moodlens.emotions import STYLES
from moodlens.webapp import cards, figures
from moodlens.webapp.pictures import (
    MOST_CARDS,
    MOST_PICTURES,
    PictureResult,
    annotated_png,
    judge_picture,
    to_csv,
    to_json,
)
from moodlens.webapp.shared import shared_lens, turns
from moodlens.webapp.suggestions import suggestions
from moodlens.webapp.text import plain, safe_stem, short_name

SAMPLES = Path(__file__).parents[1] / "samples"
KINDS = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "avif"]
OPEN_AT_ONCE = 3
"""More pictures than this are shown folded, each with its result in its heading."""
CARDS_A_ROW = 3
PROMISES = (
    ("🙂", "Every face", "Its apparent emotion, how sure the model is, what else it could be."),
    ("🔎", "The reason", "Seven probabilities, and a map of where the network looked."),
    ("🎵", "Something that fits", "A quote, an activity and music, to match or to lift the mood."),
)


def show() -> None:
    """Draw the page."""
    st.title("What does this face seem to say?")
    pictures = _chosen()
    if not pictures:
        st.caption("Add a picture: drop several at once, paste one, or try a sample.")
        cards.promises(PROMISES)
        return
    if len(pictures) > MOST_PICTURES:
        st.warning(
            f"{len(pictures)} pictures are more than are taken at once: "
            f"the first {MOST_PICTURES} are shown."
        )
        pictures = pictures[:MOST_PICTURES]
    results = _judge(pictures)
    attention = _tools(results)
    folded = len(results) > OPEN_AT_ONCE
    for place, (result, (_, data)) in enumerate(zip(results, pictures, strict=True)):
        _one(result, data, place, attention=attention, folded=folded)
    _suggest(results)


def _chosen() -> list[tuple[str, bytes]]:
    """Names and bytes of the pictures that the user gave."""
    upload, camera, sample = st.tabs(["Upload", "Snapshot", "Sample"])
    pictures: list[tuple[str, bytes]] = []
    with upload:
        files = st.file_uploader(
            "Pictures",
            type=KINDS,
            accept_multiple_files=True,
            help=f"Up to {MOST_PICTURES} at once. They stay in memory. To paste one, move "
            "here with the Tab key and press Ctrl+V (⌘V).",
        )
        pictures += [(file.name, file.getvalue()) for file in (files or [])[: MOST_PICTURES + 1]]
    with camera:
        if st.toggle("Use the camera", help="One picture; it stays in memory."):
            shot = st.camera_input("Take a picture")
            if shot is not None:
                pictures.append(("snapshot", shot.getvalue()))
    with sample:
        pictures += _samples()
    return pictures


def _samples() -> list[tuple[str, bytes]]:
    found = sorted(SAMPLES.glob("*.png"))
    st.caption("Averages of hundreds of faces each: they show nobody.")
    with st.container(horizontal=True):
        for path in found:
            with st.container(width=150):
                if st.button(path.stem.replace("-", " "), key=f"sample-{path.name}"):
                    st.session_state.sample = path.name
                st.image(path.read_bytes(), width=140, alt="")  # the button says it
    chosen = st.session_state.get("sample")
    return [(p.name, p.read_bytes()) for p in found if p.name == chosen]


def _judge(pictures: list[tuple[str, bytes]]) -> list[PictureResult]:
    """The results in the order of the pictures; those known from before are not made again."""
    known: dict[str, PictureResult] = st.session_state.get("pictures", {})
    kept: dict[str, PictureResult] = {}
    results = []
    new = [p for p in pictures if _key(*p) not in known]
    bar = st.progress(0.0, "Looking for faces …") if len(new) > 1 else None
    done = 0
    for name, data in pictures:
        key = _key(name, data)
        if key not in known and key not in kept:
            with turns():
                kept[key] = judge_picture(shared_lens(), name, data)
            done += 1
            if bar is not None:
                bar.progress(min(done / len(new), 1.0), f"{done} of {len(new)} pictures")
        else:
            kept[key] = kept.get(key) or known[key]
        results.append(kept[key])
    if bar is not None:
        bar.empty()
    st.session_state.pictures = kept
    return results


def _key(name: str, data: bytes) -> str:
    return f"{hashlib.sha256(data).hexdigest()} {name}"


def _tools(results: list[PictureResult]) -> bool:
    """The toggle and the downloads of all results; returns whether to show the maps."""
    good = [r for r in results if r.analysis.error is None]
    faces = sum(len(r.analysis.faces) for r in good)
    if len(results) > 1:
        bad = len(results) - len(good)
        line = f"{len(good)} pictures, {faces} faces"
        st.markdown(f"**{line}**" + (f" · {bad} could not be read" if bad else ""))
    if not good:
        return False
    toggle, as_json, as_csv = st.columns([3, 1, 1], vertical_alignment="center")
    with toggle:
        attention = bool(faces) and st.toggle(
            "Show where the network looked",
            help="The class activation map: the brighter a place, the more it spoke for the label.",
            disabled=not shared_lens().classifier.explains,
        )
    as_json.download_button(
        "JSON",
        lambda: to_json(results),
        "moodlens.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
        help="All numbers of all faces",
    )
    as_csv.download_button(
        "CSV",
        lambda: to_csv(results),
        "moodlens.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
        help="One row a face",
    )
    return attention


def _one(result: PictureResult, data: bytes, place: int, *, attention: bool, folded: bool) -> None:
    analysis = result.analysis
    if analysis.error is not None:
        name = plain(short_name(analysis.source))
        reason = analysis.error.removeprefix(f"{analysis.source}: ")
        st.error(f"{name}: {plain(reason)}", icon="🚫")
        return
    if folded:
        with st.expander(f"{plain(short_name(analysis.source))} — {_in_short(result)}"):
            _details(result, data, place, attention)
    else:
        st.divider()
        _details(result, data, place, attention)


def _in_short(result: PictureResult) -> str:
    faces = result.analysis.faces
    if not faces:
        return "no face"
    shown = ", ".join(
        f"{STYLES[f.emotion].emoji} {f.emotion} {f.confidence:.0%}" for f in faces[:4]
    )
    return shown + (f" and {len(faces) - 4} more" if len(faces) > 4 else "")


def _details(result: PictureResult, data: bytes, place: int, attention: bool) -> None:
    analysis = result.analysis
    several = len(analysis.faces) > 1
    left, right = st.columns([3, 2])
    with left:
        faces = len(analysis.faces)
        st.image(
            result.preview,
            caption=plain(short_name(analysis.source)),
            alt=f"The picture with {faces} face{'' if faces == 1 else 's'} marked",
        )
        st.download_button(
            "Annotated picture",
            lambda: annotated_png(data, analysis),
            f"{safe_stem(analysis.source)}-moodlens.png",
            "image/png",
            key=f"png-{place}",
            icon=":material/download:",
            on_click="ignore",
        )
    with right:
        if not analysis.faces:
            cards.no_face(black=result.black)
        elif not several:
            cards.face_card(
                analysis.faces[0], 1, several=False, pictures=result.faces[0], attention=attention
            )
        _plane(result)
    if several:
        _grid(result, attention)


def _plane(result: PictureResult) -> None:
    """Where the faces lie between unpleasant and pleasant, calm and excited."""
    faces = result.analysis.faces[:MOST_CARDS]
    if not faces:
        return
    points = [
        (str(i) if len(faces) > 1 else "", face.emotion, face.valence, face.arousal)
        for i, face in enumerate(faces, start=1)
    ]
    st.html(figures.circumplex(points))
    if len(faces) == 1:
        st.caption(f"Valence {faces[0].valence:+.2f}, arousal {faces[0].arousal:+.2f}")


def _grid(result: PictureResult, attention: bool) -> None:
    """A card for each of several faces, a few in a row."""
    faces = result.analysis.faces
    for start in range(0, min(len(faces), MOST_CARDS), CARDS_A_ROW):
        columns = st.columns(CARDS_A_ROW)
        for i, column in enumerate(columns, start=start):
            if i < len(result.faces):
                with column:
                    cards.face_card(
                        faces[i],
                        i + 1,
                        several=True,
                        pictures=result.faces[i],
                        attention=attention,
                    )
    if len(faces) > MOST_CARDS:
        st.caption(f"{len(faces) - MOST_CARDS} more faces are on the picture and in the downloads.")


def _suggest(results: list[PictureResult]) -> None:
    """For the largest face of the first picture that has one."""
    for result in results:
        face = result.analysis.largest
        if face is not None:
            suggestions(face.emotion, face.confidence, "picture")
            return
