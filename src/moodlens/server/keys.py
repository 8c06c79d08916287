"""Who may call: keys from a file that may change while the server runs."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from moodlens.errors import SettingsError
from moodlens.server.logs import logger

LOOK_EVERY_S = 1.0
SHORTEST_KEY = 16
BEARER = "bearer "


class Keys:
    """API keys by name; looked at again when the file changes."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the file.

        Args:
            path: one `name:key` a line; empty lines and lines from `#` are left out.
            clock: seconds, for tests.

        Raises:
            SettingsError: it can't be read, or a line makes no sense.
        """
        self._path = path
        self._clock = clock
        self._looked = clock()
        self._stamp = _stamp(path)
        self._keys = read_keys(path)

    def who(self, authorization: str | None) -> str | None:
        """The name of the key in an `Authorization: Bearer …` header; None: it is none of ours.

        Every key is compared, each in constant time.
        """
        self._look()
        if authorization is None or not authorization.lower().startswith(BEARER):
            return None
        given = authorization[len(BEARER) :].strip().encode()
        found = None
        for name, key in self._keys.items():
            if hmac.compare_digest(key.encode(), given):
                found = name
        return found

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._keys, self._stamp = read_keys(self._path), stamp
                logger().info("keys read again", extra={"keys": len(self._keys)})
        except SettingsError as error:
            logger().warning("keys kept as they were", extra={"reason": str(error)})


def read_keys(path: Path) -> Mapping[str, str]:
    """Name → key.

    Raises:
        SettingsError: the file can't be read, a line is no `name:key`, a key is shorter than 16
            characters, or there is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the API keys can't be read: {error}") from error
    keys: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, colon, key = (part.strip() for part in text.partition(":"))
        if not (colon and name and len(key) >= SHORTEST_KEY):
            raise SettingsError(
                f"{path}, line {number}: expected name:key with a key of "
                f"{SHORTEST_KEY} characters or more"
            )
        keys[name] = key
    if not keys:
        raise SettingsError(f"{path}: holds no API key")
    return keys


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise SettingsError(f"{path}: the API keys can't be read: {error}") from error
    return found.st_mtime_ns, found.st_size


class Rates:
    """How often each name may call."""

    def __init__(self, rate: str) -> None:
        """`rate`: such as 100/second or 5000/hour.

        Raises:
            SettingsError: it makes no sense.
        """
        try:
            self._item: RateLimitItem = parse(rate)
        except ValueError as error:
            raise SettingsError(f"rate={rate!r}: expected such as 100/second: {error}") from error
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def wait_s(self, name: str) -> float:
        """0 when the call may go on; else how long to wait."""
        if self._limiter.hit(self._item, name):
            return 0.0
        reset = self._limiter.get_window_stats(self._item, name).reset_time
        return max(reset - time.time(), 0.1)
