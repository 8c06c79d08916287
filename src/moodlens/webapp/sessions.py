"""A session's figures and charts, and the offer to keep its numbers."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import streamlit as st

from moodlens.emotions import STYLES
from moodlens.history import RecordedSession
from moodlens.webapp import charts, figures
from moodlens.webapp.shared import with_history
from moodlens.webapp.text import safe_stem


def session_figures(recorded: RecordedSession, summary: dict[str, Any]) -> None:
    """Headline numbers, shares of the time, and the course of each second.

    Args:
        recorded: the session.
        summary: of the same, as `moodlens.imaging.summary.Summary.to_dict` gives it.
    """
    shares = summary["share_of_time"]
    most = max(shares, key=shares.__getitem__)
    stretch = summary["longest_stretch"]
    with st.container(horizontal=True):
        st.metric("Length", clock(recorded.duration_s))
        st.metric("Most of the time", f"{STYLES[most].emoji} {most}" if stretch else "no face")
        st.metric("Changes", summary["changes"])
        st.metric("Faces", summary["faces"])
    if stretch is None:
        st.caption("No face was seen.")
        return
    left, right = st.columns([2, 3])
    with left:
        st.markdown("**Share of the time**")
        st.html(figures.bars(shares, most, "session-shares"))
    with right:
        st.markdown("**Second by second**")
        st.altair_chart(charts.seconds(recorded.samples))
        st.html(charts.emotion_key())


def offer_to_save(recorded: RecordedSession, holder: dict[str, Any]) -> None:
    """A name and a button; what is saved are numbers. And the same numbers as a file.

    Args:
        recorded: the session.
        holder: remembers under `saved` that it was saved, so that it is not saved twice.
    """
    if holder.get("saved"):
        st.success("Saved. You find it on the History page.", icon="💾")
    else:
        with st.form("save-session", border=True):
            st.markdown("Keep the numbers of this session? Pictures are never kept.")
            title = st.text_input("Name", recorded.title, max_chars=120)
            if st.form_submit_button("Save to history", icon=":material/save:"):
                named = replace(recorded, title=title or recorded.title)
                number = with_history(lambda history: history.save(named), "Nothing is saved")
                if number is not None:
                    holder["saved"] = number
                    st.rerun()
    st.download_button(
        "Numbers as CSV",
        lambda: samples_csv([recorded]),
        f"{safe_stem(recorded.title)}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def samples_csv(sessions: list[RecordedSession]) -> str:
    """One row a second and face, with the session's start and title in front."""
    out = io.StringIO()
    writer: Any = None
    for recorded in sessions:
        head = {
            "started_at": recorded.started_at.isoformat(timespec="seconds"),
            "kind": recorded.kind,
            "title": recorded.title.lstrip("=+-@\t\r") or "Session",
        }
        for sample in recorded.samples:
            row = head | sample.to_dict()
            if writer is None:
                writer = csv.DictWriter(out, list(row))
                writer.writeheader()
            writer.writerow(row)
    return out.getvalue()


def clock(seconds: float) -> str:
    """A length of time, such as 1:05 or 12 s."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
