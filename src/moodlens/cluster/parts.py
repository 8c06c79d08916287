"""The output folder: whole Parquet parts, each of which knows the inputs it answers for."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moodlens.cluster import storage
from moodlens.cluster.items import Chunk, Item
from moodlens.cluster.rows import arrow, rows, to_table
from moodlens.errors import InputError, SettingsError
from moodlens.types import Analysis

ITEMS_KEY, JOB_KEY = b"moodlens.items", b"moodlens.job"
LOCK = ".moodlens.lock"


class Parts:
    """The parts of one job in one folder or bucket."""

    def __init__(self, folder: str, job: str) -> None:
        """`job`: names what rows depend on beside the inputs (model, detector, options)."""
        self.folder = folder.rstrip("/") or folder
        self.job = job

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make the folder and keep other runs out of it while this one writes.

        Raises:
            SettingsError: it can't be made, or another run is writing there.
        """
        if storage.is_remote(self.folder):
            yield
            return
        from filelock import FileLock, Timeout

        place = Path(self.folder)
        try:
            place.mkdir(parents=True, exist_ok=True)
            lock = FileLock(place / LOCK, timeout=0)
            lock.acquire()
        except OSError as error:
            if isinstance(error, Timeout):
                raise SettingsError(f"{place}: another run is writing there; wait for it") from None
            raise SettingsError(f"{place}: can't be written: {error.strerror}") from error
        try:
            _tidy(place)
            yield
        finally:
            _tidy(place)
            lock.release()

    def names(self) -> list[str]:
        """File names of the parts that are there, sorted."""
        if not storage.is_remote(self.folder):
            return sorted(path.name for path in Path(self.folder).glob("part-*.parquet"))
        fs, path = storage.filesystem(self.folder)
        fs.invalidate_cache()
        return sorted(str(found).rpartition("/")[2] for found in fs.glob(f"{path}/part-*.parquet"))

    def done(self, items: list[Item], *, again: bool = False) -> set[tuple[str, str]]:
        """Keys of the items whose rows are there; rows of inputs that changed are taken out.

        Args:
            items: of this run. again: take out the rows with an error too, to try once more.

        Raises:
            SettingsError: the folder holds rows of another model or other options.
            InputError: a part is damaged.
        """
        stamps = dict(item.key for item in items)
        found: set[tuple[str, str]] = set()
        for name in self.names():
            keys, failed = self._look(name, again)
            gone = {s for s, stamp in keys if stamps.get(s, stamp) != stamp}
            gone |= {s for s in failed if s in stamps}
            if gone:
                self._take_out(name, keys, gone)
            found |= {key for key in keys if key[0] not in gone}
        return found

    def _look(self, name: str, again: bool) -> tuple[list[tuple[str, str]], set[str]]:
        pa = arrow()
        address = f"{self.folder}/{name}"
        failed: set[str] = set()
        try:
            with storage.open_binary(address) as file, pa.parquet.ParquetFile(file) as part:
                said = part.schema_arrow.metadata or {}
                keys = [(str(s), str(stamp)) for s, stamp in json.loads(said[ITEMS_KEY])]
                if said[JOB_KEY].decode() != self.job:
                    raise SettingsError(
                        f"{self.folder}: holds results of another model or other options "
                        "(--model, --detector, --min-face, --frames-every, --thorough); "
                        "choose another OUTPUT"
                    )
                if again:
                    table = part.read(columns=["source", "error"])
                    failed = {
                        source
                        for source, error in zip(
                            table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True
                        )
                        if error is not None
                    }
        except SettingsError:
            raise
        except Exception as error:
            raise InputError(
                f"{address}: not a part that moodlens batch wrote, or damaged; remove it"
            ) from error
        return keys, failed

    def _take_out(self, name: str, keys: list[tuple[str, str]], gone: set[str]) -> None:
        """Replace a part by itself without the rows of some sources, in one step."""
        pa = arrow()
        left = [key for key in keys if key[0] not in gone]
        if not left:
            self._remove(name)
            return
        table = pa.parquet.read_table(io.BytesIO(storage.read(f"{self.folder}/{name}")))
        keep = [source not in gone for source in table.column("source").to_pylist()]
        self._write(name, table.filter(pa.array(keep)), left)

    def _remove(self, name: str) -> None:
        if storage.is_remote(self.folder):
            fs, path = storage.filesystem(self.folder)
            fs.rm_file(f"{path}/{name}")
        else:
            (Path(self.folder) / name).unlink()

    def write(self, chunk: Chunk, found: Iterator[dict[str, Any]]) -> int:
        """The rows of a chunk as its part, whole or not at all; how many.

        Raises:
            MoodlensError: it can't be written.
        """
        table = to_table(found)
        self._write(chunk.name, table, [item.key for item in chunk.items])
        return int(table.num_rows)

    def give_up(self, item: Item, error: str) -> None:
        """A part that says only why an item has no result."""
        failed = Analysis.failed(item.source, error)
        self.write(Chunk((item,)), rows(item.source, [failed]))

    def _write(self, name: str, table: Any, keys: list[tuple[str, str]]) -> None:
        pa = arrow()
        said = {ITEMS_KEY: json.dumps(keys).encode(), JOB_KEY: self.job.encode()}
        out = io.BytesIO()
        pa.parquet.write_table(table.replace_schema_metadata(said), out, compression="zstd")
        storage.write(self.folder, name, out.getvalue())


def _tidy(folder: Path) -> None:
    """Remove what killed workers had begun to write."""
    for left in folder.glob(f".part-*{storage.TEMPORARY}"):
        left.unlink(missing_ok=True)
