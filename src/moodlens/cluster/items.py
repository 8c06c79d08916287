"""What there is to do: items (one picture or video each) and chunks of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["picture", "video", "row", "nothing"]
PIECES = 8
"""A chunk that killed its worker again and again is split into so many."""


@dataclass(frozen=True, slots=True)
class Item:
    """One input.

    Attributes:
        source: path, address, or `file.parquet#row`; as the results call it, unique.
        stamp: changes when the input does (size and time of change, or an object's tag).
        kind: a picture file, a video file, a row of a Parquet file holding bytes, or a row that
            names nothing.
        file: of a row: the Parquet file. column, group, index: where in it.
    """

    source: str
    stamp: str
    kind: Kind = "picture"
    file: str = ""
    column: str = ""
    group: int = 0
    index: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """Two runs mean the same input by it."""
        return self.source, self.stamp


@dataclass(frozen=True, slots=True)
class Chunk:
    """Items that are worked on together and give one Parquet part; sorted."""

    items: tuple[Item, ...]

    @property
    def name(self) -> str:
        """File name of the part: the same items give the same name, in any run and engine."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(f"{item.source}\0{item.stamp}\n".encode("utf-8", "surrogateescape"))
        return f"part-{digest.hexdigest()[:24]}.parquet"

    def split(self) -> list[Chunk]:
        """Smaller chunks of the same items."""
        step = max(1, -(-len(self.items) // PIECES))
        return [Chunk(self.items[i : i + step]) for i in range(0, len(self.items), step)]


def plan(items: Iterable[Item], size: int) -> list[Chunk]:
    """Chunks of at most `size` items in the order of their names; a video is one by itself.

    Videos come first, since a long one that starts last would hold up the end.
    """
    pictures: list[Item] = []
    videos: list[Item] = []
    for item in sorted(items, key=_order):
        (videos if item.kind == "video" else pictures).append(item)
    chunks = [Chunk((video,)) for video in videos]
    chunks += [Chunk(tuple(pictures[i : i + size])) for i in range(0, len(pictures), size)]
    return chunks


def _order(item: Item) -> tuple[str, int, int, str]:
    """Rows of a Parquet file stay in their order, so that a row group is read once."""
    return item.file or item.source, item.group, item.index, item.source
