"""The history page: saved sessions over days, beside each other, and out of the door."""

from __future__ import annotations

import json
from datetime import date

import streamlit as st

from moodlens.emotions import EMOTIONS, STYLES
from moodlens.history import History, RecordedSession, SavedSession
from moodlens.webapp import charts, figures
from moodlens.webapp.sessions import clock, samples_csv
from moodlens.webapp.shared import with_history
from moodlens.webapp.text import plain

MOST_EXPORTED = 500


def show() -> None:
    """Draw the page."""
    st.title("History")
    sessions = with_history(lambda history: history.sessions(), "The history can't be shown")
    if sessions is None:
        st.caption("All other pages go on as usual; nothing is saved until the database is back.")
        return
    if not sessions:
        st.info(
            "Nothing saved yet. At the end of a live session, or under an analysed clip, press "
            "**Save to history**: then you find here how the mood went over days, what followed "
            "what, and how two sessions compare. Only numbers are kept, never pictures.",
            icon="🗂️",
        )
        return
    _over_all(sessions)
    _compare(sessions)
    _list(sessions)
    _export(sessions)
    _delete_all()


def _over_all(sessions: list[SavedSession]) -> None:
    seconds = sum(s.seconds for s in sessions)
    totals = {e: sum(s.emotion_seconds[e] for s in sessions) for e in EMOTIONS}
    shares = {e: n / max(seconds, 1) for e, n in totals.items()}
    most = max(EMOTIONS, key=lambda e: shares[e])
    with st.container(horizontal=True):
        st.metric("Sessions", len(sessions))
        st.metric("Time of faces", clock(seconds))
        st.metric("Most of the time", f"{STYLES[most].emoji} {most}" if seconds else "no face")
    if not seconds:
        return
    days = by_day(sessions)
    left, right = st.columns(2)
    with left:
        st.subheader("Mood over days")
        st.altair_chart(charts.by_day(days))
        st.html(charts.mood_key())
    with right:
        st.subheader("Share of each emotion")
        if len(days) > 1:
            st.altair_chart(charts.shares_by_day(shares_by_day(sessions)))
            st.html(charts.emotion_key())
        else:
            st.html(figures.bars(shares, most, "history-shares"))
    st.subheader("What followed what")
    counts = with_history(lambda history: history.transitions(), "Changes can't be counted")
    if counts is None:
        return
    changes = sum(n for b, row in counts.items() for a, n in row.items() if a != b)
    if changes:
        st.altair_chart(charts.transitions(counts))
        st.caption("Counts of changes from one second to the next; darker is likelier.")
    else:
        st.caption("No emotion has changed to another yet.")


def by_day(sessions: list[SavedSession]) -> list[dict[str, object]]:
    """Mean valence and arousal of each day, weighted by the seconds of faces; oldest first."""
    days: dict[date, list[float]] = {}
    for saved in sessions:
        row = days.setdefault(_day(saved), [0.0, 0.0, 0.0])
        row[0] += saved.valence * saved.seconds
        row[1] += saved.arousal * saved.seconds
        row[2] += saved.seconds
    return [
        {"day": day, "valence": v / n, "arousal": a / n, "minutes": n / 60}
        for day, (v, a, n) in sorted(days.items())
        if n
    ]


def shares_by_day(sessions: list[SavedSession]) -> list[dict[str, object]]:
    """Share of each emotion of each day; oldest first."""
    days: dict[date, dict[str, int]] = {}
    for saved in sessions:
        row = days.setdefault(_day(saved), dict.fromkeys(EMOTIONS, 0))
        for emotion, count in saved.emotion_seconds.items():
            row[emotion] += count
    return [
        {"day": day, "emotion": emotion, "share": count / sum(row.values())}
        for day, row in sorted(days.items())
        if sum(row.values())
        for emotion, count in row.items()
    ]


def _day(saved: SavedSession) -> date:
    """On the clock of the machine that runs the app."""
    return saved.started_at.astimezone().date()


def _name(saved: SavedSession) -> str:
    """As lists name a session: unique, because of its number."""
    at = saved.started_at.astimezone()
    return f"#{saved.id} · {at:%Y-%m-%d %H:%M} · {saved.title}"


def _compare(sessions: list[SavedSession]) -> None:
    if len(sessions) < 2:
        return
    st.subheader("Compare two sessions")
    left, right = st.columns(2)
    first = left.selectbox("First", sessions, index=1, format_func=_name)
    second = right.selectbox("Second", sessions, index=0, format_func=_name)
    if first is None or second is None:
        return
    if first.id == second.id:
        st.caption("Choose two different sessions.")
        return
    names = _name(first), _name(second)
    st.altair_chart(charts.compare(first, second, names))
    st.html(figures.key(zip(names, charts.PAIR, strict=True)))
    st.caption(
        f"Valence {first.valence:+.2f} and {second.valence:+.2f}, "
        f"arousal {first.arousal:+.2f} and {second.arousal:+.2f}."
    )


def _list(sessions: list[SavedSession]) -> None:
    st.subheader("Sessions")
    chosen = st.selectbox("Session", sessions, format_func=_name)
    if chosen is None:
        return
    recorded = with_history(lambda history: history.load(chosen.id), "It can't be shown")
    if recorded is None:
        return
    with st.container(border=True):
        st.markdown(
            f"**{plain(recorded.title)}** · {recorded.kind} · {clock(recorded.duration_s)} · "
            f"{recorded.frames} frames · valence {chosen.valence:+.2f} · "
            f"arousal {chosen.arousal:+.2f}"
        )
        if recorded.samples:
            st.altair_chart(charts.seconds(recorded.samples))
            st.html(charts.emotion_key())
        else:
            st.caption("No face was seen.")
        if st.button("Delete this session", icon=":material/delete:"):
            gone = with_history(lambda history: history.delete(chosen.id), "Nothing is deleted")
            if gone is not None:
                st.rerun()


def _export(sessions: list[SavedSession]) -> None:
    st.subheader("Export")
    if len(sessions) > MOST_EXPORTED:
        st.caption(f"The newest {MOST_EXPORTED} sessions are exported.")
    numbers = [saved.id for saved in sessions[:MOST_EXPORTED]]
    with st.container(horizontal=True):
        st.download_button(
            "All sessions (CSV)",
            lambda: samples_csv(_load(numbers)),
            "moodlens-history.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "All sessions (JSON)",
            lambda: sessions_json(_load(numbers)),
            "moodlens-history.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
        )


def _load(numbers: list[int]) -> list[RecordedSession]:
    def every(history: History) -> list[RecordedSession]:
        return [history.load(number) for number in numbers]

    return with_history(every, "They can't be exported") or []


def sessions_json(sessions: list[RecordedSession]) -> str:
    """All numbers of sessions, as a list of objects."""
    return json.dumps(
        [
            {
                "kind": s.kind,
                "title": s.title,
                "started_at": s.started_at.isoformat(timespec="seconds"),
                "duration_s": round(s.duration_s, 3),
                "frames": s.frames,
                "samples": [sample.to_dict() for sample in s.samples],
            }
            for s in sessions
        ],
        indent=1,
        ensure_ascii=False,
    )


def _delete_all() -> None:
    st.subheader("Delete everything")
    sure = st.checkbox("Yes, delete every saved session for good", key="sure-of-all")
    if st.button("Delete all sessions", disabled=not sure, icon=":material/delete_forever:"):
        gone = with_history(lambda history: history.delete_all(), "Nothing is deleted")
        if gone is not None:
            st.rerun()
