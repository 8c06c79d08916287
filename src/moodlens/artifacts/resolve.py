"""From a model SPEC to a file on disk."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from moodlens.artifacts.convert import converted
from moodlens.artifacts.download import Progress, fetch
from moodlens.artifacts.places import cache_dir, packaged_dir, sha256_of
from moodlens.artifacts.reading import Reading
from moodlens.artifacts.registry import Entry, Kind, registry
from moodlens.errors import DownloadError, ModelError
from moodlens.settings import settings

DEFAULT = "moodlens-default"
_SCHEME = re.compile(r"^([a-z][a-z0-9+.]{1,15}):", re.IGNORECASE)


def resolve_model(
    spec: str | Path | None = None,
    *,
    kind: Kind = "emotion",
    reading: Reading | None = None,
    progress: Progress | None = None,
) -> Path:
    """The ONNX file that a SPEC stands for, fetched and converted where needed.

    Args:
        spec: a registry name, a path, or an address: `https://…`, `gdrive:ID or share link`,
            `hf:OWNER/REPO[@REVISION]/FILE`, `s3://…`, `gs://…`. None: the packaged default.
        kind: emotion model or face detector; a name of the other kind is refused.
        reading: how a `.keras` file is to be read, where it is not the usual case.
        progress: told of every block that is fetched; None: a bar on a terminal.

    Raises:
        ModelError: no such file or name, or one of another kind.
        DownloadError: it can't be fetched or verified.
    """
    text = DEFAULT if spec is None else str(spec)
    entry = registry().get(text)
    if entry is not None:
        if entry.kind != kind:
            raise ModelError(f"{text}: this is a model of kind {entry.kind}, not {kind}")
        said = (
            (reading or Reading()).over(entry.reading) if entry.file.endswith(".keras") else reading
        )
        vouched = entry.packaged or entry.sha256 is not None or kind != "emotion"
        found = _of_entry(entry, progress)
        return converted(found, said, check=not vouched, alone=True, name=entry.name)
    path = Path(text)
    if path.exists() or not (_SCHEME.match(text) or "drive.google.com" in text):
        if not path.is_file():
            known = ", ".join(n for n, e in registry().items() if e.kind == kind)
            raise ModelError(
                f"{text}: no such model file, and no model of that name; known: {known}"
            )
        return converted(path, reading, check=kind == "emotion")
    fetched = _of_address(text, progress)
    return converted(fetched, reading, check=kind == "emotion", alone=True)


def find_model(name: str) -> Path | None:
    """A registered model that is on this machine, with the right bytes; never the network."""
    entry = registry().get(name)
    if entry is None:
        return None
    if entry.packaged and (packaged_dir() / entry.file).is_file():
        return packaged_dir() / entry.file  # its hash is `moodlens models verify`'s to check
    own = settings().models_dir
    for folder in (*([own] if own else []), cache_dir()):
        path = folder / entry.file
        if path.is_file() and (entry.sha256 is None or sha256_of(path) == entry.sha256):
            return path
    return None


def _of_entry(entry: Entry, progress: Progress | None) -> Path:
    found = find_model(entry.name)
    if found is not None:
        return found
    if not entry.urls:
        raise ModelError(f"{entry.name}: its file {entry.file} is missing from this install")
    return fetch(
        entry.urls,
        cache_dir() / entry.file,
        sha256=entry.sha256,
        size=entry.size,
        progress=progress,
    )


def _of_address(text: str, progress: Progress | None) -> Path:
    """The cache's own name for it: what a link calls its file never chooses where it goes."""
    if text.startswith("hf:"):
        url = _hugging_face(text)
    elif "drive.google.com" in text or "docs.google.com" in text:
        url = "gdrive:" + text.removeprefix("gdrive:")
    else:
        url = text
    name = hashlib.sha256(url.encode()).hexdigest()[:24]
    return fetch([url], cache_dir() / f"{name}.model", progress=progress)


def _hugging_face(text: str) -> str:
    """`HF_ENDPOINT` names another host, as Hugging Face's own tools have it."""
    owner, _, rest = text.removeprefix("hf:").partition("/")
    repository, _, file = rest.partition("/")
    repository, _, revision = repository.partition("@")
    if not (owner and repository and file):
        raise DownloadError(f"{text}: expected hf:OWNER/REPOSITORY/FILE")
    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return f"{host}/{owner}/{repository}/resolve/{revision or 'main'}/{file}"
