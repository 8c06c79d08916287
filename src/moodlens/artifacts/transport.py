"""The ways bytes come: HTTP with resume, Google Drive by gdown, the rest by fsspec."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moodlens.errors import MissingExtraError

CONNECT_S, READ_S = 10.0, 30.0
BLOCK = 1 << 16

_DRIVE_ID = re.compile(r"^[A-Za-z0-9_-]{10,}$")
_DRIVE_LINKS = (
    re.compile(r"/file/(?:u/\d+/)?d/([A-Za-z0-9_-]{10,})"),
    re.compile(r"[?&]id=([A-Za-z0-9_-]{10,})"),
    re.compile(r"/d/([A-Za-z0-9_-]{10,})"),
)


class TransferError(Exception):
    """The bytes did not come, and why; `again` when another try may help."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


def transfer(
    url: str, partial: Path, limit: int, progress: Callable[[int, int | None], None] | None
) -> None:
    """Bring the bytes of an address into `partial`.

    Raises:
        TransferError: they did not come.
        MissingExtraError: the address needs packages that are not installed.
    """
    if url.startswith("gdrive:"):
        _from_drive(drive_id(url), partial, limit, progress)
    elif url.startswith(("http://", "https://")):
        _from_http(url, partial, limit, progress)
    else:
        _from_filesystem(url, partial, limit, progress)


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


def _from_http(
    url: str, partial: Path, limit: int, progress: Callable[[int, int | None], None] | None
) -> None:
    import requests

    had = partial.stat().st_size if partial.is_file() else 0
    headers = {"Range": f"bytes={had}-", "Accept-Encoding": "identity"} if had else {}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_S, READ_S)) as answer:
            _check_status(answer.status_code)
            resumes = answer.status_code == 206
            had = had if resumes else 0
            length = answer.headers.get("Content-Length", "")
            total = had + int(length) if length.isdigit() else None
            if total is not None and total > limit:
                raise TransferError(f"{total} bytes are announced; at most {limit} are taken")
            with partial.open("ab" if resumes else "wb") as file:
                for block in answer.iter_content(BLOCK):
                    file.write(block)
                    had += len(block)
                    if had > limit:
                        partial.unlink(missing_ok=True)
                        raise TransferError(f"more than {limit} bytes came")
                    if progress:
                        progress(had, total)
            if total is not None and had < total:
                raise TransferError(f"cut short: {had} of {total} bytes came", again=True)
    except requests.Timeout as error:
        raise TransferError(f"no answer within {READ_S:.0f} s", again=True) from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise TransferError(f"cut short after {had} bytes", again=True) from error
    except requests.RequestException as error:
        reason = str(error).splitlines()[0][:160]
        raise TransferError(f"can't be reached: {reason}", again=True) from error


def _check_status(status: int) -> None:
    if status in (200, 206):
        return
    said = {
        401: "it asks for a login; use a public link",
        403: "access is refused; make the file public, or check the link",
        404: "there is no such file",
        429: "too many requests; try again later",
    }.get(status, "")
    again = status in (408, 416, 425, 429) or status >= 500
    raise TransferError(f"HTTP {status}" + (f": {said}" if said else ""), again=again)


def _from_drive(
    file_id: str, partial: Path, limit: int, progress: Callable[[int, int | None], None] | None
) -> None:
    import gdown
    import gdown.exceptions
    import requests

    try:
        gdown.download(id=file_id, output=str(partial), quiet=True, use_cookies=False)
    except (gdown.exceptions.FileURLRetrievalError, gdown.exceptions.DownloadError) as error:
        text = str(error).lower()
        if "many accesses" in text or "quota" in text:
            reason = "too many people have fetched this file today; copy it to your own Drive"
        elif "permission" in text or "public link" in text:
            reason = "the file is not public; set its sharing to 'Anyone with the link'"
        else:
            reason = "Google Drive gave no file; is the link right and public?"
        raise TransferError(reason) from error
    except requests.RequestException as error:
        reason = str(error).splitlines()[0][:160]
        raise TransferError(f"Google Drive can't be reached: {reason}", again=True) from error
    if not partial.is_file():
        raise TransferError("Google Drive gave no file; is the link right and public?")
    size = partial.stat().st_size
    if size > limit:
        partial.unlink(missing_ok=True)
        raise TransferError(f"{size} bytes came; at most {limit} are taken")
    if progress:
        progress(size, size)


def _from_filesystem(
    url: str, partial: Path, limit: int, progress: Callable[[int, int | None], None] | None
) -> None:
    """s3:, gs: and whatever else fsspec knows."""
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError(f"fetching {url.split(':')[0]}: addresses", "cloud") from error
    try:
        opened: Any = fsspec.open(url, "rb")
        with opened as source, partial.open("wb") as file:
            had = 0
            while block := source.read(BLOCK):
                had += len(block)
                if had > limit:
                    raise TransferError(f"more than {limit} bytes came")
                file.write(block)
                if progress:
                    progress(had, None)
    except TransferError:
        raise
    except ImportError as error:
        raise MissingExtraError(f"fetching {url.split(':')[0]}: addresses", "cloud") from error
    except FileNotFoundError as error:
        raise TransferError("there is no such file") from error
    except PermissionError as error:
        raise TransferError("access is refused; check the credentials") from error
    except Exception as error:  # every file system has errors of its own
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise TransferError(reason, again=True) from error
