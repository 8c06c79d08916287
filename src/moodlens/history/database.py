"""Opening the database: where it is, how long to wait for it, and bringing it up to date."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from moodlens.errors import HistoryError, MissingExtraError
from moodlens.settings import settings

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x6D6F6F64
"""A number of our own for PostgreSQL's advisory lock, so that two processes do not both migrate."""
_migrating = threading.Lock()


def default_url() -> str:
    """`MOODLENS_DATABASE_URL`, else a SQLite file in the user's data folder."""
    chosen = settings().database_url
    if chosen:
        return chosen
    import platformdirs

    folder = platformdirs.user_data_path("moodlens", appauthor=False)
    return f"sqlite:///{folder / 'history.sqlite'}"


def parse_url(address: str) -> URL:
    """A database's address; `postgresql://` and `postgres://` mean the driver that is installed.

    Raises:
        HistoryError: not an address of SQLite or PostgreSQL. MissingExtraError: no driver.
    """
    if address.startswith("postgres://"):
        address = "postgresql://" + address.removeprefix("postgres://")
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise HistoryError(
            "MOODLENS_DATABASE_URL is not a database address, such as "
            "sqlite:////data/history.sqlite or postgresql://user:password@host/name"
        ) from None
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise HistoryError(f"MOODLENS_DATABASE_URL: {kind} is not supported; sqlite or postgresql")
    if kind == "postgresql":
        try:
            import psycopg  # noqa: F401 (asked for here, used by SQLAlchemy)
        except ImportError as error:
            raise MissingExtraError("a PostgreSQL history", "postgres") from error
        return url.set(drivername="postgresql+psycopg")
    return url


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite database; None for one in memory or of another kind."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def open_engine(url: URL, wait_s: float) -> Engine:
    """An engine that gives up on a lock or a silent server after `wait_s` seconds.

    Raises:
        HistoryError: no such kind of database.
    """
    path = sqlite_path(url)
    options: dict[str, Any] = {}
    if path is not None:
        # A connection of its own for every use: a file that is moved away is noticed.
        options = {"poolclass": NullPool, "connect_args": {"timeout": wait_s}}
    elif url.get_backend_name() == "postgresql":
        options = {
            "pool_pre_ping": True,
            "pool_timeout": wait_s,
            "connect_args": {
                "connect_timeout": max(int(wait_s), 1),
                "options": f"-c lock_timeout={int(wait_s * 1000)} "
                f"-c statement_timeout={int(wait_s * 10_000)}",
            },
        }
    try:
        engine = create_engine(url, **options)
    except (NoSuchModuleError, SQLAlchemyError) as error:
        raise HistoryError(f"{shown(url)}: no such kind of database: {error}") from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _keep_foreign_keys)
    return engine


def migrate(engine: Engine, wait_s: float) -> None:
    """Bring the database to the newest shape; quick where it has it.

    Raises:
        HistoryError: it was made by a newer program, or another process migrates and does not end.
        SQLAlchemyError, OSError: it can't be reached.
    """
    path = sqlite_path(engine.url)
    with _migrating:
        if path is None:
            with engine.begin() as connection:
                if engine.dialect.name == "postgresql":
                    connection.execute(
                        text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK}
                    )
                _upgrade(connection)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                FileLock(f"{path}.migrating", timeout=wait_s),
                engine.begin() as connection,
            ):
                _upgrade(connection)
        except Timeout as error:
            raise HistoryError(f"{path}: another process is changing the database") from error


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise HistoryError(
            f"{shown(connection.engine.url)}: made by a newer version of moodlens "
            f"or by another program: {error}"
        ) from error


def shown(url: URL) -> str:
    """The address for messages, without its password."""
    path = sqlite_path(url)
    return str(path) if path is not None else url.render_as_string(hide_password=True)


def _keep_foreign_keys(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys=ON")
