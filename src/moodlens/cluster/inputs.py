"""INPUT becomes items: folders, globs, Parquet files, buckets."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from moodlens.cluster import storage
from moodlens.cluster.items import Item, Kind
from moodlens.errors import InputError, MissingExtraError, MoodlensError
from moodlens.imaging.sources import is_picture

VIDEOS = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"}
BYTES_COLUMNS = ("image", "bytes")
PATH_COLUMN = "path"


def find_items(text: str, *, leave_out: str | None = None) -> list[Item]:
    """Everything that INPUT names.

    Args:
        text: a folder (searched to its depths), a glob, a file, or an address such as `s3://…`.
            Parquet files stand for their rows.
        leave_out: a folder inside INPUT that is not searched, where results are written.

    Returns:
        Items in no special order, each source once.

    Raises:
        InputError: nothing is there. MissingExtraError: buckets or Parquet without their extra.
    """
    found: dict[str, Item] = {}
    pairs = _remote(text) if storage.is_remote(text) else _local(text)
    hidden = None if leave_out is None else leave_out.rstrip("/")
    for name, stamp, named in pairs:
        if hidden is not None and _inside(name, hidden):
            continue
        for item in _expand(name, stamp, named):
            found.setdefault(item.source, item)
    if not found:
        raise InputError(f"{text}: no pictures, videos or Parquet files there")
    return list(found.values())


def _inside(name: str, folder: str) -> bool:
    if storage.is_remote(name) or storage.is_remote(folder):
        return name.startswith(folder + "/")
    return Path(name).absolute().is_relative_to(Path(folder).absolute())


def _local(text: str) -> Iterator[tuple[str, str, bool]]:
    """Path, stamp, and whether the file was named itself."""
    path = Path(text)
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                if not name.startswith("."):
                    yield (str(Path(folder) / name), _stamp(Path(folder) / name), False)
    elif path.exists():
        yield text, _stamp(path), True
    elif any(c in text for c in "*?["):
        for match in glob.iglob(text, recursive=True):  # noqa: PTH207 (as a shell reads it)
            if Path(match).is_file():
                yield match, _stamp(Path(match)), False
    else:
        raise InputError(f"{text}: no such file or folder")


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "missing"
    return f"{found.st_size}-{found.st_mtime_ns}"


def _remote(text: str) -> Iterator[tuple[str, str, bool]]:
    fs, path = storage.filesystem(text)
    try:
        if any(c in path for c in "*?["):
            found, named = fs.glob(path, detail=True), False
        elif fs.isfile(path):
            found, named = {path: fs.info(path)}, True
        else:
            found, named = fs.find(path, detail=True), False
    except FileNotFoundError:
        raise InputError(f"{text}: no such bucket or folder") from None
    except Exception as error:
        raise InputError(f"{text}: can't be listed: {storage.reason(error)}") from error
    for name, info in found.items():
        if info.get("type", "file") != "file":
            continue
        changed = next((info[k] for k in ("ETag", "etag", "mtime", "created") if k in info), "")
        yield fs.unstrip_protocol(name), f"{info.get('size')}-{changed}", named


def _expand(name: str, stamp: str, named: bool) -> Iterator[Item]:
    path = PurePath(name)
    ending = path.suffix.lower()
    if ending == ".parquet":
        yield from _rows(name, stamp)
    elif ending in VIDEOS:
        yield Item(name, stamp, "video")
    elif named or is_picture(Path(path)):
        yield Item(name, stamp, "picture")


def _rows(name: str, stamp: str) -> Iterator[Item]:
    """The rows of a Parquet file: bytes in a column, or paths of files."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet", "serve") from error
    try:
        with storage.open_binary(name) as file, pyarrow.parquet.ParquetFile(file) as table:
            columns = table.schema_arrow.names
            column = next((c for c in BYTES_COLUMNS if c in columns), None)
            if column is not None:
                number = 0
                for group in range(table.num_row_groups):
                    for index in range(table.metadata.row_group(group).num_rows):
                        yield Item(f"{name}#{number}", stamp, "row", name, column, group, index)
                        number += 1
            elif PATH_COLUMN in columns:
                paths = table.read(columns=[PATH_COLUMN]).column(PATH_COLUMN).to_pylist()
                for index, path in enumerate(paths):
                    yield _named_by(name, stamp, index, path)
            else:
                raise InputError(
                    f"{name}: a column 'image' or 'bytes' (files' bytes) or 'path' is needed; "
                    f"it has {', '.join(columns)}"
                )
    except MoodlensError:
        raise
    except Exception as error:
        raise InputError(f"{name}: not a Parquet file: {storage.reason(error)}") from error


def _named_by(file: str, stamp: str, index: int, path: str | None) -> Item:
    """A path of a Parquet file; a relative one starts where that file lies."""
    if not path:
        return Item(f"{file}#{index}", stamp, "nothing")
    kind: Kind = "video" if PurePath(path).suffix.lower() in VIDEOS else "picture"
    if storage.is_remote(path):
        return Item(path, "by name", kind)
    if storage.is_remote(file):
        return Item(f"{file.rpartition('/')[0]}/{path}", "by name", kind)
    whole = Path(file).parent / path
    return Item(str(whole), _stamp(whole), kind)
