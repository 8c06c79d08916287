"""Files on disk and objects in a bucket, read and written alike."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

from moodlens.errors import InputError, MissingExtraError, MoodlensError

TEMPORARY = ".tmp"


def is_remote(address: str) -> bool:
    """Whether it is an address (`s3://…`), not a path."""
    return "://" in address


def filesystem(address: str) -> tuple[Any, str]:
    """The file system of an address and the path in it.

    Raises:
        MissingExtraError: the packages for buckets are not installed.
        InputError: an address of an unknown kind.
    """
    try:
        from fsspec.core import url_to_fs

        fs, path = url_to_fs(address)
    except ImportError as error:
        raise MissingExtraError(address, "cloud") from error
    except ValueError as error:
        raise InputError(f"{address}: {error}") from error
    return fs, str(path)


def read(address: str) -> bytes:
    """All bytes of a file or an object.

    Raises:
        InputError: it can't be read.
    """
    try:
        if not is_remote(address):
            return Path(address).read_bytes()
        fs, path = filesystem(address)
        return bytes(fs.cat_file(path))
    except FileNotFoundError:
        raise InputError(f"{address}: no such file") from None
    except MoodlensError:
        raise
    except Exception as error:  # each kind of storage raises its own
        raise InputError(f"{address}: can't be read: {reason(error)}") from error


def open_binary(address: str) -> Any:
    """A seekable file object, for Parquet files that are read in parts."""
    if not is_remote(address):
        return Path(address).open("rb")
    fs, path = filesystem(address)
    return fs.open(path, "rb")


def write(folder: str, name: str, data: bytes) -> None:
    """The whole file or none of it, replacing one of that name.

    Raises:
        MoodlensError: the disk is full, or the place can't be written.
    """
    try:
        if is_remote(folder):
            fs, path = filesystem(folder)
            fs.pipe_file(f"{path.rstrip('/')}/{name}", data)  # an object appears when it is whole
            return
        place = Path(folder)
        temporary = place / f".{name}.{uuid.uuid4().hex[:8]}{TEMPORARY}"
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(place / name)
        finally:
            temporary.unlink(missing_ok=True)
    except MoodlensError:
        raise
    except Exception as error:
        raise MoodlensError(f"{folder}/{name}: can't be written: {reason(error)}") from error


def reason(error: Exception) -> str:
    """The first line of what went wrong."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
