"""The video page: a clip's course over time, and its files."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from moodlens.errors import MoodlensError
from moodlens.webapp import cards, charts
from moodlens.webapp.clips import ClipResult, follow_clip, read_file
from moodlens.webapp.sessions import offer_to_save, session_figures
from moodlens.webapp.shared import shared_lens, turns
from moodlens.webapp.suggestions import suggestions
from moodlens.webapp.text import plain, safe_stem, short_name

PROMISES = (
    ("📈", "A timeline", "Point at a moment to see its picture and its scores."),
    ("🧾", "A summary", "Shares of the time, changes, and every face that was seen."),
    ("🎞️", "To take away", "The annotated clip with its sound, rows for a table, a picture."),
)
KINDS = ["mp4", "mov", "m4v", "webm", "mkv", "avi"]


def show() -> None:
    """Draw the page."""
    st.title("Video")
    holder: dict[str, Any] = st.session_state.setdefault("clip", {})
    upload = st.file_uploader("A clip", type=KINDS, help="It stays on this machine, for now alone.")
    if upload is None:
        holder.clear()
        st.caption(
            "Add a clip to see how the apparent emotion of its faces changes, second by second."
        )
        cards.promises(PROMISES)
        return
    if holder.get("file") != upload.file_id:
        holder.clear()
        holder["file"] = upload.file_id
    annotate = st.toggle("Make an annotated copy", value=True, help="With boxes, labels and sound")
    if st.button("Analyse", type="primary", icon=":material/play_arrow:"):
        holder.pop("result", None)
        holder.pop("saved", None)
        _analyse(holder, upload.name, upload.getvalue(), annotate)
    result: ClipResult | None = holder.get("result")
    if result is not None:
        _result(result, upload.name, holder)


def _analyse(holder: dict[str, Any], name: str, data: bytes, annotate: bool) -> None:
    bar = st.progress(0.0, "Reading the clip …")
    try:
        with turns():
            holder["result"] = follow_clip(
                shared_lens(),
                name,
                data,
                annotate=annotate,
                tell=lambda share, said: bar.progress(share, said),
            )
    except MoodlensError as error:
        reason = str(error).removeprefix(f"{name}: ")
        st.error(f"{plain(short_name(name))}: {plain(reason)}", icon="🚫")
    finally:
        bar.empty()


def _result(result: ClipResult, name: str, holder: dict[str, Any]) -> None:
    if result.error is not None:
        st.warning(f"The clip ended early: {plain(result.error)}")
    if result.skipped:
        st.warning(f"{result.skipped} damaged frames were left out.")
    if len(result.moments):
        # The width is told before the picture is there, so that its box stays on the page.
        st.html("<style>#vg-tooltip-element img {width: 150px}</style>")
        st.markdown("**The largest face**")
        st.altair_chart(charts.clip(result.moments))
        st.html(charts.emotion_key())
        st.caption("Point at the timeline to see that moment and its scores.")
    if result.annotated_mp4 is not None:
        with st.expander("Watch the annotated clip"):
            st.video(str(result.annotated_mp4))
    session_figures(result.recorded, result.summary)
    _people(result)
    _downloads(result, safe_stem(name))
    offer_to_save(result.recorded, holder)
    if result.main_emotion is not None:
        suggestions(result.main_emotion, 1.0, "video")


def _people(result: ClipResult) -> None:
    """A row a face, where there are several."""
    tracks = result.summary["tracks"]
    if len(tracks) < 2:
        return
    st.markdown("**Faces**")
    st.dataframe(
        [
            {
                "face": track["track_id"],
                "seen, s": track["seen_s"],
                "most of the time": max(
                    track["share_of_time"], key=track["share_of_time"].__getitem__
                ),
                "changes": track["changes"],
                "mean valence": track["mean_valence"],
                "mean arousal": track["mean_arousal"],
            }
            for track in tracks[:20]
        ],
        hide_index=True,
    )


def _downloads(result: ClipResult, stem: str) -> None:
    files = [
        ("Rows (CSV)", result.rows_csv, f"{stem}-timeline.csv", "text/csv"),
        ("Picture (PNG)", result.plot_png, f"{stem}-timeline.png", "image/png"),
    ]
    if result.annotated_mp4 is not None:
        files.insert(
            0, ("Annotated clip (MP4)", result.annotated_mp4, f"{stem}-moodlens.mp4", "video/mp4")
        )
    with st.container(horizontal=True):
        for label, path, file_name, kind in files:
            st.download_button(
                label,
                partial(read_file, path),
                file_name,
                kind,
                icon=":material/download:",
                on_click="ignore",
            )
