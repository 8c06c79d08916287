"""Saving, listing, loading and deleting sessions; thumbs on recommendations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import HistoryError
from moodlens.history.database import (
    default_url,
    migrate,
    open_engine,
    parse_url,
    shown,
    sqlite_path,
)
from moodlens.history.models import SampleRow, SessionRow, ThumbRow
from moodlens.history.records import LONGEST_TITLE, RecordedSession, Sample, SavedSession

WAIT_S = 2.0
ROWS_AT_ONCE = 2000


class History:
    """The database of sessions; safe to share between threads.

    Nothing is opened before the first use, and a database that was gone is tried again at the
    next one. Every method raises `HistoryError`, in one line, when it can't be reached.
    """

    def __init__(self, address: str | None = None, *, wait_s: float = WAIT_S) -> None:
        """Choose the database.

        Args:
            address: of SQLite or PostgreSQL, as SQLAlchemy has it; None: `MOODLENS_DATABASE_URL`,
                else a file in the user's data folder.
            wait_s: how long to wait for a lock or a server.

        Raises:
            HistoryError: not an address. MissingExtraError: its driver is not installed.
        """
        self._url = parse_url(address or default_url())
        self._wait_s = wait_s
        self._engine = open_engine(self._url, wait_s)
        self._ready = False

    @property
    def place(self) -> str:
        """Where it is, without a password."""
        return shown(self._url)

    def check(self) -> None:
        """Whether it can be reached and has its tables; makes them where it is new."""
        with self._session("opened") as session:
            session.execute(select(func.count()).select_from(SessionRow))

    def save(self, recorded: RecordedSession) -> int:
        """Keep a session with all its samples, or nothing of it. Returns its number."""
        with self._session("saved to") as session:
            row = SessionRow(
                kind=recorded.kind,
                title=_printable(recorded.title)[:LONGEST_TITLE],
                started_at=recorded.started_at,
                duration_s=recorded.duration_s,
                frames=recorded.frames,
            )
            session.add(row)
            session.flush()
            number = row.id
            values = [_sample_values(number, sample) for sample in recorded.samples]
            for start in range(0, len(values), ROWS_AT_ONCE):
                session.execute(insert(SampleRow), values[start : start + ROWS_AT_ONCE])
        return number

    def sessions(self) -> list[SavedSession]:
        """All sessions, newest first, with their figures but without their samples."""
        figures = select(
            SampleRow.session_id,
            SampleRow.emotion,
            func.count(),
            func.sum(SampleRow.valence),
            func.sum(SampleRow.arousal),
        ).group_by(SampleRow.session_id, SampleRow.emotion)
        with self._session("read") as session:
            heads = session.scalars(
                select(SessionRow).order_by(SessionRow.started_at.desc(), SessionRow.id.desc())
            ).all()
            counted: dict[int, list[tuple[str, int, float, float]]] = {}
            for number, emotion, count, valence, arousal in session.execute(figures):
                counted.setdefault(number, []).append((emotion, count, valence, arousal))
            return [_saved(row, counted.get(row.id, [])) for row in heads]

    def load(self, number: int) -> RecordedSession:
        """A session with its samples.

        Raises:
            HistoryError: there is none of this number.
        """
        with self._session("read") as session:
            row = session.get(SessionRow, number)
            if row is None:
                raise HistoryError(f"there is no saved session {number}; it may have been deleted")
            samples = session.scalars(
                select(SampleRow)
                .where(SampleRow.session_id == number)
                .order_by(SampleRow.track_id, SampleRow.second)
            )
            return RecordedSession(
                kind="video" if row.kind == "video" else "live",
                title=row.title,
                started_at=row.started_at,
                duration_s=row.duration_s,
                frames=row.frames,
                samples=tuple(_sample(sample) for sample in samples),
            )

    def transitions(
        self, numbers: Sequence[int] | None = None
    ) -> dict[Emotion, dict[Emotion, int]]:
        """How often one shown emotion followed another within a face's next second.

        Args:
            numbers: of the sessions to count; None: all.

        Returns:
            counts[before][after] for all 49 pairs; the same emotion twice is counted too.
        """
        face, time = (SampleRow.session_id, SampleRow.track_id), SampleRow.second
        last = func.lag(SampleRow.second).over(partition_by=face, order_by=time)
        pairs = select(
            func.lag(SampleRow.emotion).over(partition_by=face, order_by=time).label("before"),
            (SampleRow.second - last).label("gap"),
            SampleRow.emotion.label("after"),
        )
        if numbers is not None:
            pairs = pairs.where(SampleRow.session_id.in_(list(numbers)))
        inner = pairs.subquery()
        query = (
            select(inner.c.before, inner.c.after, func.count())
            .where(inner.c.gap == 1)
            .group_by(inner.c.before, inner.c.after)
        )
        counts = {before: dict.fromkeys(EMOTIONS, 0) for before in EMOTIONS}
        with self._session("read") as session:
            for before, after, count in session.execute(query):
                if before in counts and after in counts:
                    counts[before][after] = count
        return counts

    def delete(self, number: int) -> bool:
        """Delete a session and its samples; False where there was none."""
        with self._session("changed") as session:
            row = session.get(SessionRow, number)
            if row is None:
                return False
            session.execute(delete(SampleRow).where(SampleRow.session_id == number))
            session.delete(row)
            return True

    def delete_all(self) -> int:
        """Delete every session; thumbs stay. Returns how many there were."""
        with self._session("changed") as session:
            gone = session.execute(delete(SessionRow).returning(SessionRow.id)).all()
            return len(gone)

    def thumbs(self) -> dict[str, int]:
        """Every judged recommendation: 1 is up, -1 is down."""
        with self._session("read") as session:
            return {row.item_id: row.value for row in session.scalars(select(ThumbRow))}

    def set_thumb(self, item_id: str, value: int) -> None:
        """Remember 1 (up) or -1 (down) for a recommendation; 0 forgets it.

        Raises:
            ValueError: another value.
        """
        if value not in (-1, 0, 1):
            raise ValueError(f"a thumb is -1, 0 or 1, not {value}")
        with self._session("saved to") as session:
            if value == 0:
                session.execute(delete(ThumbRow).where(ThumbRow.item_id == item_id))
            else:
                session.merge(ThumbRow(item_id=item_id, value=value, changed_at=datetime.now(UTC)))

    def close(self) -> None:
        """Let all connections go; the next use opens new ones."""
        self._engine.dispose()

    @contextmanager
    def _session(self, verb: str) -> Iterator[Session]:
        try:
            path = sqlite_path(self._url)
            if not self._ready or (path is not None and not path.exists()):
                migrate(self._engine, self._wait_s)
                self._ready = True
            with Session(self._engine) as session, session.begin():
                yield session
        except (SQLAlchemyError, OSError) as error:
            self._ready = False
            raise HistoryError(f"{self.place}: can't be {verb}: {_reason(error)}") from error


def _sample_values(number: int, sample: Sample) -> dict[str, Any]:
    return {
        "session_id": number,
        "track_id": sample.track_id,
        "second": sample.second,
        "emotion": sample.emotion,
        **dict(zip(EMOTIONS, sample.scores, strict=True)),
        "valence": sample.valence,
        "arousal": sample.arousal,
    }


def _sample(row: SampleRow) -> Sample:
    return Sample(
        second=row.second,
        track_id=row.track_id,
        emotion=EMOTIONS[EMOTIONS.index(row.emotion)],
        scores=tuple(float(getattr(row, emotion)) for emotion in EMOTIONS),
        valence=row.valence,
        arousal=row.arousal,
    )


def _saved(row: SessionRow, figures: list[tuple[str, int, float, float]]) -> SavedSession:
    counts = dict.fromkeys(EMOTIONS, 0)
    counts |= {emotion: count for emotion, count, _, _ in figures if emotion in counts}
    seconds = sum(count for _, count, _, _ in figures)
    return SavedSession(
        id=row.id,
        kind=row.kind,
        title=row.title,
        started_at=row.started_at,
        duration_s=row.duration_s,
        frames=row.frames,
        seconds=seconds,
        emotion_seconds=counts,
        valence=sum(v for _, _, v, _ in figures) / max(seconds, 1),
        arousal=sum(a for _, _, _, a in figures) / max(seconds, 1),
    )


def _printable(title: str) -> str:
    """A title without control characters, which PostgreSQL refuses or a terminal obeys."""
    cleaned = "".join(c if c.isprintable() else " " for c in title).strip()
    return cleaned or "Session"


def _reason(error: Exception) -> str:
    """The first line of what the driver said, without its query."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    inner = getattr(error, "orig", None) or error
    lines = str(inner).strip().splitlines()
    return lines[0] if lines else type(inner).__name__
