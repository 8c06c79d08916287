"""Fetch a file so that it is there whole and right, or not there at all.

The bytes go to a `.partial` file beside the target, are checked, and are then renamed. A lock
lets one process fetch while others wait and then find the file there.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from moodlens.artifacts.bar import shown
from moodlens.artifacts.places import sha256_of
from moodlens.artifacts.transport import Partial, TransferError, transfer
from moodlens.errors import DownloadError
from moodlens.settings import settings

Progress = Callable[[int, int | None], None]
"""Called with the bytes there are, and the bytes there will be where that is known."""

SIZE_LIMIT = 512 * 1024 * 1024
TRIES = 4
BACK_OFF_S = 0.5
LOCK_WAIT_S = 600.0


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Make sure that `target` holds the bytes of one of the addresses.

    Args:
        urls: mirrors, in order of preference.
        target: where the file goes; its folder is made.
        sha256: of the right bytes; None: trust what comes, and record its hash beside it.
        size: of the right bytes, where known.
        progress: told of every block; None: a bar, where standard error is a terminal.

    Returns:
        `target`. A file that is there already is checked against its hash and taken.

    Raises:
        DownloadError: offline, no mirror answered with the right bytes, or no room to write.
    """
    if _is_there(target, sha256):
        return target
    if settings().offline:
        raise DownloadError(
            f"{urls[0]}: not in the cache, and MOODLENS_OFFLINE is set; fetch it while online"
        )
    from filelock import FileLock, Timeout

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(str(target) + ".lock", timeout=LOCK_WAIT_S):
            if not _is_there(target, sha256):
                with shown(progress) as told:
                    _fetch_any(urls, target, sha256, size, told)
    except Timeout:
        raise DownloadError(
            f"{target}: another process has been fetching this for {LOCK_WAIT_S:.0f} s; try again"
        ) from None
    except OSError as error:
        partial_of(target).unlink(missing_ok=True)
        raise DownloadError(
            f"{target}: can't be written: {error.strerror or error}; free some room, or choose "
            "another folder with MOODLENS_CACHE_DIR"
        ) from error
    return target


def recorded_hash(target: Path) -> str | None:
    """The hash that was recorded when a file was first fetched."""
    try:
        return str(json.loads(_record_of(target).read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _record_of(target: Path) -> Path:
    return target.with_name(target.name + ".json")


def _is_there(target: Path, sha256: str | None) -> bool:
    """A whole file with the right, or the recorded, hash; a wrong one is taken away."""
    if not target.is_file():
        return False
    wanted = sha256 or recorded_hash(target)
    if wanted is None:
        return False  # a file without a record did not come from here whole
    if sha256_of(target) == wanted:
        return True
    target.unlink(missing_ok=True)
    return False


def _fetch_any(
    urls: Sequence[str],
    target: Path,
    sha256: str | None,
    size: int | None,
    progress: Progress | None,
) -> None:
    failures: list[str] = []
    for url in urls:
        try:
            _fetch_one(url, target, sha256, size, progress)
            return
        except TransferError as error:
            failures.append(f"{url}: {error}")
    raise DownloadError("; ".join(failures) or f"{target.name}: no address to fetch it from")


def partial_of(target: Path) -> Path:
    """Where the bytes go before they are checked."""
    return target.with_name(target.name + ".partial")


def _fetch_one(
    url: str, target: Path, sha256: str | None, size: int | None, progress: Progress | None
) -> None:
    partial = Partial(partial_of(target), known=sha256 is not None)
    limit = size or SIZE_LIMIT
    for attempt in range(TRIES):
        try:
            transfer(url, partial, limit, progress)
            _check(partial, sha256, size)
            break
        except TransferError as error:
            if not error.again or attempt == TRIES - 1:
                partial.discard()
                raise
            time.sleep(BACK_OFF_S * 2**attempt)
    found = sha256_of(partial.path)
    record = {"url": url, "sha256": found, "size": partial.size}
    beside = _record_of(target).with_suffix(".json.partial")
    beside.write_text(json.dumps(record), encoding="utf-8")
    with partial.path.open("rb") as file:
        os.fsync(file.fileno())
    # The record first: a file with no record counts as not there, one with a record is checked.
    beside.replace(_record_of(target))
    partial.path.replace(target)


def _check(partial: Partial, sha256: str | None, size: int | None) -> None:
    with partial.path.open("rb") as file:
        start = file.read(512).lstrip().lower()
    length = partial.size
    problem = None
    if length == 0:
        problem = "the answer is empty"
    elif start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        problem = "a web page came in place of a model; is the link public and direct?"
    elif sha256 is not None and (found := sha256_of(partial.path)) != sha256:
        problem = f"wrong bytes: expected sha256 {sha256}, found {found}"
    elif size is not None and length != size:
        problem = f"wrong size: expected {size} bytes, found {length}"
    if problem:
        again = partial.resumed  # what an earlier run left may be of another version
        partial.discard()
        raise TransferError(problem, again=again)
