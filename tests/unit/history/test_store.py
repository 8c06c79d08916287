"""Sessions go in and come out as they were, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import HistoryError
from moodlens.history import History, RecordedSession, Sample
from moodlens.history.database import default_url, open_engine, parse_url
from moodlens.history.models import Base

NOON = datetime(2026, 3, 4, 12, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))


def sample(second: int, emotion: Emotion, track_id: int = 1) -> Sample:
    scores = tuple(0.7 if e == emotion else 0.05 for e in EMOTIONS)
    return Sample(second, track_id, emotion, scores, valence=0.25 * second, arousal=-0.5)


def recorded(
    *samples: Sample, title: str = "A talk", started_at: datetime = NOON
) -> RecordedSession:
    return RecordedSession("live", title, started_at, 3.5, 90, samples)


def test_a_session_comes_back_as_it_was(history: History) -> None:
    kept = recorded(sample(0, "happy"), sample(1, "sad"), sample(1, "neutral", track_id=2))
    number = history.save(kept)
    found = history.load(number)
    assert found.started_at == NOON
    assert found.samples == kept.samples
    assert (found.kind, found.title, found.duration_s, found.frames) == ("live", "A talk", 3.5, 90)


def test_the_list_is_newest_first_and_has_the_figures(history: History) -> None:
    late = history.save(recorded(sample(0, "sad"), started_at=NOON + timedelta(hours=1)))
    early = history.save(recorded(sample(0, "happy"), sample(1, "happy"), sample(2, "sad")))
    first, second = history.sessions()
    assert (first.id, second.id) == (late, early)
    assert second.emotion_seconds["happy"] == 2
    assert second.shares["sad"] == pytest.approx(1 / 3)
    assert second.valence == pytest.approx(0.25)
    assert second.arousal == pytest.approx(-0.5)


def test_a_session_without_a_face_is_kept(history: History) -> None:
    history.save(recorded())
    (found,) = history.sessions()
    assert found.seconds == 0
    assert set(found.shares.values()) == {0.0}


def test_transitions_count_neighbouring_seconds_of_one_face(history: History) -> None:
    number = history.save(
        recorded(
            sample(0, "neutral"),
            sample(1, "happy"),
            sample(2, "happy"),
            sample(9, "sad"),  # a gap: nobody knows what was between
            sample(10, "sad", track_id=2),  # another face
        )
    )
    counts = history.transitions()
    assert counts["neutral"]["happy"] == 1
    assert counts["happy"]["happy"] == 1
    assert sum(n for row in counts.values() for n in row.values()) == 2
    assert history.transitions([number + 1])["neutral"]["happy"] == 0


def test_deleting_one_takes_its_samples_and_leaves_the_others(
    history: History, address: str
) -> None:
    gone = history.save(recorded(sample(0, "happy")))
    kept = history.save(recorded(sample(0, "fear")))
    assert history.delete(gone)
    assert not history.delete(gone)
    assert [s.id for s in history.sessions()] == [kept]
    engine = open_engine(parse_url(address), 1.0)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT session_id FROM samples")).scalars().all() == [kept]
    engine.dispose()
    with pytest.raises(HistoryError, match="deleted"):
        history.load(gone)


def test_deleting_all_leaves_the_thumbs(history: History, address: str) -> None:
    history.save(recorded(sample(0, "happy")))
    history.save(recorded())
    history.set_thumb("quote-1", 1)
    assert history.delete_all() == 2
    assert history.sessions() == []
    assert history.thumbs() == {"quote-1": 1}
    engine = open_engine(parse_url(address), 1.0)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM samples")).scalar() == 0
    engine.dispose()


def test_thumbs_are_changed_and_forgotten(history: History) -> None:
    history.set_thumb("a", 1)
    history.set_thumb("a", -1)
    history.set_thumb("b", 1)
    history.set_thumb("b", 0)
    assert history.thumbs() == {"a": -1}
    with pytest.raises(ValueError, match="-1, 0 or 1"):
        history.set_thumb("a", 5)


def test_a_hostile_title_is_kept_as_text(history: History) -> None:
    title = "'; DROP TABLE sessions; -- \x00\n<script>" + "x" * 500
    history.save(recorded(title=title))
    (found,) = history.sessions()
    assert found.title.startswith("'; DROP TABLE sessions; --")
    assert len(found.title) == 120
    assert "\x00" not in found.title


def test_the_migrations_make_what_the_models_say(history: History, address: str) -> None:
    history.check()
    engine = open_engine(parse_url(address), 1.0)
    inspector = inspect(engine)
    for table in Base.metadata.sorted_tables:
        made = {column["name"] for column in inspector.get_columns(table.name)}
        assert made == {column.name for column in table.columns}
        primary = inspector.get_pk_constraint(table.name)["constrained_columns"]
        assert primary == [column.name for column in table.primary_key.columns]
    engine.dispose()


def test_many_threads_open_and_save_at_once(address: str) -> None:
    errors: list[Exception] = []
    history = History(address, wait_s=10.0)

    def work(i: int) -> None:
        try:
            history.save(recorded(sample(0, "happy"), title=f"number {i}"))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(history.sessions()) == 6
    history.close()


def test_two_processes_of_a_new_database_both_find_it(address: str) -> None:
    first, second = History(address, wait_s=5.0), History(address, wait_s=5.0)
    first.save(recorded())
    second.save(recorded())
    assert len(first.sessions()) == 2
    first.close()
    second.close()


# Failures: one line each, and the next use tries again.


def test_a_locked_file_is_said_and_works_once_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    history = History(f"sqlite:///{path}", wait_s=0.1)
    history.check()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(HistoryError, match=r"can't be saved to: database is locked"):
        history.save(recorded(sample(0, "happy")))
    other.execute("ROLLBACK")
    other.close()
    history.save(recorded(sample(0, "happy")))
    assert len(history.sessions()) == 1


def test_a_file_that_was_deleted_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    history = History(f"sqlite:///{path}")
    history.save(recorded())
    path.unlink()
    assert history.sessions() == []
    history.save(recorded())
    assert len(history.sessions()) == 1


def test_a_place_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    history = History(f"sqlite:///{blocked / 'history.sqlite'}", wait_s=0.1)
    with pytest.raises(HistoryError, match=r"can't be saved to"):
        history.save(recorded())


def test_a_file_that_is_no_database_is_said_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "notes.sqlite"
    path.write_text("these are my notes, not a database " * 50)
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="not a database"):
        History(f"sqlite:///{path}", wait_s=0.1).check()
    assert path.read_bytes() == before


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    History(f"sqlite:///{path}").check()
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(HistoryError, match="newer version"):
        History(f"sqlite:///{path}").check()


def test_a_server_that_is_not_there_is_said_without_the_password() -> None:
    history = History("postgresql://someone:hunter2@127.0.0.1:9/none", wait_s=1.0)
    with pytest.raises(HistoryError, match="can't be read") as caught:
        history.sessions()
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    history.close()


@pytest.mark.parametrize("address", ["nonsense", "mysql://a@b/c", "sqlite"])
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(HistoryError, match="MOODLENS_DATABASE_URL"):
        History(address)


def test_the_address_comes_from_the_setting() -> None:
    assert default_url().endswith("history.sqlite")
    assert History().place.endswith("history.sqlite")


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        RecordedSession("live", "x", datetime(2026, 1, 1), 0, 0)


def test_the_time_is_kept_in_any_zone(history: History) -> None:
    history.save(recorded(started_at=NOON))
    (found,) = history.sessions()
    assert found.started_at.astimezone(UTC) == NOON.astimezone(UTC)
