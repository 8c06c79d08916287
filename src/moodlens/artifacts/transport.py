"""The ways bytes come: HTTP with resume, Google Drive by gdown, the rest by fsspec."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from moodlens.errors import MissingExtraError

CONNECT_S, READ_S = 10.0, 30.0
BLOCK = 1 << 16

Told = Callable[[int, int | None], None] | None

_DRIVE_ID = re.compile(r"^[A-Za-z0-9_-]{10,}$")
_DRIVE_LINKS = (
    re.compile(r"/file/(?:u/\d+/)?d/([A-Za-z0-9_-]{10,})"),
    re.compile(r"[?&]id=([A-Za-z0-9_-]{10,})"),
    re.compile(r"/d/([A-Za-z0-9_-]{10,})"),
)
_RANGE = re.compile(r"^bytes (\d+)-\d+/(\d+|\*)$")


class TransferError(Exception):
    """The bytes did not come, and why; `again` when another try may help."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


@dataclass
class Partial:
    """A file on its way.

    Attributes:
        path: where its bytes go.
        known: the right hash is known, so what an earlier run left can be gone on with.
        validator: what the server calls this version: a strong ETag, or a date.
        resumed: some of the bytes came by an earlier answer.
    """

    path: Path
    known: bool = False
    validator: str = ""
    resumed: bool = False

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def discard(self) -> None:
        """Start over."""
        self.path.unlink(missing_ok=True)
        self.resumed = False


def transfer(url: str, partial: Partial, limit: int, progress: Told) -> None:
    """Bring the bytes of an address into the partial file.

    Args:
        url: `gdrive:…`, `http(s)://…`, or what fsspec knows.
        partial: where they go; what is there already is gone on with where that is safe.
        limit: most bytes that are taken.
        progress: told of every block.

    Raises:
        TransferError: they did not come.
        MissingExtraError: the address needs packages that are not installed.
        OSError: they can't be written.
    """
    if url.startswith("gdrive:"):
        _from_drive(drive_id(url), partial, limit, progress)
    elif url.startswith(("http://", "https://")):
        _from_http(url, partial, limit, progress)
    else:
        _from_filesystem(url, partial, limit, progress)


class _Sink:
    """A file that counts, tells, and takes no more than the limit."""

    def __init__(self, file: BinaryIO, had: int, limit: int, progress: Told) -> None:
        self.file, self.had, self.limit, self.progress = file, had, limit, progress
        self.total: int | None = None

    def write(self, block: bytes) -> int:
        self.had += len(block)
        if self.had > self.limit:
            raise TransferError(f"too large: more than {self.limit} bytes came")
        self.file.write(block)
        if self.progress:
            self.progress(self.had, self.total)
        return len(block)

    def flush(self) -> None:
        self.file.flush()


def drive_id(spec: str) -> str:
    """The file's id in `gdrive:ID`, or in any usual form of share link.

    Raises:
        TransferError: no id in it.
    """
    text = spec.removeprefix("gdrive:").strip()
    if _DRIVE_ID.match(text):
        return text
    for pattern in _DRIVE_LINKS:
        if found := pattern.search(text):
            return found[1]
    raise TransferError("no Google Drive file id in this link; use the link that 'Share' copies")


def _from_http(url: str, partial: Partial, limit: int, progress: Told) -> None:
    import requests

    if not (partial.known or partial.validator):
        partial.discard()  # half of one version and half of another would pass unseen
    had = partial.size
    # Compressed answers would make lengths and offsets mean something else.
    headers = {"Accept-Encoding": "identity"}
    if had:
        headers["Range"] = f"bytes={had}-"
        if partial.validator:
            headers["If-Range"] = partial.validator
    try:
        with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_S, READ_S)) as answer:
            _check_status(answer.status_code, partial)
            partial.resumed = answer.status_code == 206
            had = _offset(answer, partial) if partial.resumed else 0
            partial.validator = _validator(answer.headers)
            length = answer.headers.get("Content-Length", "")
            plain = answer.headers.get("Content-Encoding", "identity") == "identity"
            total = had + int(length) if plain and length.isdigit() else None
            if total is not None and total > limit:
                raise TransferError(
                    f"too large: {total} bytes are announced, at most {limit} are taken"
                )
            with partial.path.open("ab" if partial.resumed else "wb") as file:
                sink = _Sink(file, had, limit, progress)
                sink.total = total
                for block in answer.iter_content(BLOCK):
                    sink.write(block)
            if total is not None and sink.had < total:
                raise TransferError(f"cut short: {sink.had} of {total} bytes came", again=True)
    except requests.exceptions.ChunkedEncodingError as error:
        raise TransferError(f"cut short: {partial.size} bytes came", again=True) from error
    except requests.RequestException as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> TransferError:
    import requests

    text = str(error)
    # A pause in the middle of a body is a ConnectionError in requests, not a Timeout.
    if isinstance(error, requests.Timeout) or "timed out" in text.lower():
        return TransferError(f"timed out: nothing came for {READ_S:.0f} s", again=True)
    reason = (text.splitlines() or [type(error).__name__])[0][:160]
    again = not isinstance(error, requests.exceptions.SSLError | requests.exceptions.InvalidURL)
    return TransferError(f"can't be reached: {reason}", again=again)


def _validator(headers: Any) -> str:
    tag = str(headers.get("ETag", ""))
    return tag if tag.startswith('"') else str(headers.get("Last-Modified", ""))


def _offset(answer: Any, partial: Partial) -> int:
    """Where a 206 answer starts, which must be where the partial file ends."""
    found = _RANGE.match(answer.headers.get("Content-Range", ""))
    had = partial.size
    if found is None or int(found[1]) != had:
        partial.discard()
        raise TransferError("the server sent another part than was asked for", again=True)
    return had


def _check_status(status: int, partial: Partial) -> None:
    if status in (200, 206):
        return
    if status == 416:  # what is there is longer than the file is now
        partial.discard()
    said = {
        401: "it asks for a login; use a public link",
        403: "access is refused; make the file public, or check the link",
        404: "there is no such file",
        410: "there is no such file any more",
        429: "too many requests; try again later",
    }.get(status, "")
    if status >= 500:
        said = "the server is in trouble; try again later"
    again = status in (408, 416, 425, 429) or status >= 500
    raise TransferError(f"HTTP {status}" + (f": {said}" if said else ""), again=again)


def _from_drive(file_id: str, partial: Partial, limit: int, progress: Told) -> None:
    """By gdown, which knows Drive's pages; the file's name there is never asked for."""
    import inspect

    import gdown
    import requests

    # Earlier versions of gdown have no time-outs.
    known = inspect.signature(gdown.download).parameters
    more = {"timeout": (CONNECT_S, READ_S)} if "timeout" in known else {}
    partial.discard()
    try:
        with partial.path.open("wb") as file:
            sink = _Sink(file, 0, limit, progress)
            gdown.download(id=file_id, output=sink, quiet=True, use_cookies=False, **more)
    except (TransferError, OSError) as error:
        if isinstance(error, requests.HTTPError) and error.response is not None:
            _check_status(error.response.status_code, partial)
        if isinstance(error, requests.RequestException):
            raise _unreachable(error) from error
        raise
    except Exception as error:  # its own two kinds, and others on pages that it does not know
        raise _explained(error) from error
    if partial.size == 0:
        raise TransferError("Google Drive gave no file; is the link right and public?")


def _explained(error: Exception) -> TransferError:
    """Drive's failures in a person's words. Its pages are what gdown's message quotes."""
    text = " ".join(str(error).lower().split())
    if "incomplete" in text:
        return TransferError("cut short: Google Drive broke off", again=True)
    if "too many users" in text or "quota" in text:
        return TransferError(
            "too many people have fetched this file today; try tomorrow, or copy it to your own "
            "Drive and use that link"
        )
    if "permission" in text or "public link" in text or "access" in text:
        return TransferError(
            "the file is not public, or there is none; set its sharing to 'Anyone with the link'"
        )
    return TransferError("Google Drive gave no file; is the link right and public?")


def _from_filesystem(url: str, partial: Partial, limit: int, progress: Told) -> None:
    """s3:, gs: and whatever else fsspec knows."""
    scheme = url.split(":")[0]
    partial.discard()
    with partial.path.open("wb") as file:
        sink = _Sink(file, 0, limit, progress)
        source = _asked(scheme, lambda: _opened(url))
        with source:
            size = getattr(source, "size", None)
            sink.total = size if isinstance(size, int) else None
            while block := _asked(scheme, lambda: source.read(BLOCK)):
                sink.write(block)


def _opened(url: str) -> Any:
    if url.startswith("file://"):  # a registry on this machine's disk needs no more packages
        return Path(url2pathname(urlsplit(url).path)).open("rb")
    import fsspec

    return fsspec.open(url, "rb").open()


def _asked(scheme: str, ask: Callable[[], Any]) -> Any:
    """What a file system answers; its failures as ours, apart from those of writing."""
    try:
        return ask()
    except ImportError as error:
        raise MissingExtraError(f"fetching {scheme}: addresses", "cloud") from error
    except FileNotFoundError as error:
        raise TransferError("there is no such file") from error
    except PermissionError as error:
        raise TransferError("access is refused; check the credentials") from error
    except Exception as error:  # every file system has errors of its own
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        if type(error).__name__ == "NoCredentialsError":
            raise TransferError("access is refused; check the credentials") from error
        unknown = isinstance(error, ValueError) and "protocol" in reason.lower()
        raise TransferError(f"can't be read: {reason}", again=not unknown) from error
