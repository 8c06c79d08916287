"""The catalogue: quotes, activities and music, read when an emotion is first asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import CatalogueError
from moodlens.recommendations.entries import CARE, CARE_LONG, Shelf

# The C parser reads the seven files in a tenth of the time; not every build of PyYAML has it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Catalogue:
    """A shelf for every emotion. Safe to share between threads.

    Args:
        own: shelves of the user; an entry with the id of a packaged one takes its place.
        packaged: False leaves out what comes with the package.
    """

    def __init__(
        self, own: Mapping[Emotion, Shelf] | None = None, *, packaged: bool = True
    ) -> None:
        self._own = dict(own or {})
        self._packaged = packaged
        self._merged: dict[Emotion, Shelf] = {}

    def shelf(self, emotion: Emotion) -> Shelf:
        """What there is for an emotion.

        Raises:
            CatalogueError: a packaged file is damaged.
        """
        if emotion not in self._merged:
            shelf = packaged_shelf(emotion) if self._packaged else Shelf()
            self._merged[emotion] = shelf.with_more(self._own.get(emotion, Shelf()))
        return self._merged[emotion]

    @property
    def shelves(self) -> dict[Emotion, Shelf]:
        """All seven; this reads every file."""
        return {emotion: self.shelf(emotion) for emotion in EMOTIONS}

    def texts(self) -> Iterator[str]:
        """Every text that a translation may replace, each once, in the order of the files.

        The words of care come first.
        """
        seen: set[str] = {CARE, CARE_LONG}
        yield from (CARE, CARE_LONG)
        for shelf in self.shelves.values():
            for entry in (*shelf.quotes, *shelf.activities):
                for text in entry.texts():
                    if text not in seen:
                        seen.add(text)
                        yield text


@cache
def packaged_shelf(emotion: Emotion) -> Shelf:
    """What the package has for an emotion; read once."""
    place = files("moodlens.recommendations") / "catalogue" / f"{emotion}.yaml"
    return _shelf(yaml.load(place.read_text(encoding="utf-8"), _LOADER), f"{emotion}.yaml")  # noqa: S506


def load_catalogue(extra: Path | None = None) -> Catalogue:
    """The packaged catalogue, with the entries of the user's own file added.

    Args:
        extra: a YAML file: emotion names, each with quotes, activities and music as packaged.

    Raises:
        CatalogueError: the file can't be read, or an entry has a fault.
    """
    if extra is None:
        return _plain()
    try:
        text = extra.read_text(encoding="utf-8")
        data = yaml.load(text, _LOADER) or {}  # noqa: S506
        _refuse_doubles(yaml.compose(text, _LOADER), extra)
    except OSError as error:
        raise CatalogueError(f"{extra}: can't be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise CatalogueError(f"{extra}: not YAML{line}: {what}") from error
    if not isinstance(data, dict):
        raise CatalogueError(f"{extra}: expected emotions with their entries at the top level")
    shelves: dict[Emotion, Shelf] = {}
    for name, content in data.items():
        if name not in EMOTIONS:
            raise CatalogueError(
                f"{extra}: unknown emotion {name!r}; expected one of {', '.join(EMOTIONS)}"
            )
        shelves[name] = _shelf(content, f"{extra}: {name}")
    return Catalogue(shelves)


def _refuse_doubles(node: Any, path: Path) -> None:
    """YAML would keep the last of two equal keys, and the entries of the first would be lost."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                line = key.start_mark.line + 1
                raise CatalogueError(
                    f"{path}: {name!r} comes again in line {line}; put it together"
                )
            seen.add(name)
            _refuse_doubles(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_doubles(value, path)


@cache
def _plain() -> Catalogue:
    return Catalogue()


def _shelf(content: Any, where: str) -> Shelf:
    """Entries checked one by one, so that an error can name the entry.

    Raises:
        CatalogueError: names the file, the kind, the entry's number and title, and the fault.
    """
    try:
        shelf = Shelf.model_validate({} if content is None else content)
    except ValidationError as error:
        first = error.errors()[0]
        raise CatalogueError(f"{where}: {_place(first['loc'], content)}: {first['msg']}") from error
    entries = (*shelf.quotes, *shelf.activities, *shelf.music)
    name, times = Counter(entry.id for entry in entries).most_common(1)[0] if entries else ("", 1)
    if times > 1:
        raise CatalogueError(f"{where}: {name!r} stands there {times} times; keep one")
    return shelf


def _place(loc: tuple[int | str, ...], content: Any) -> str:
    """Such as `activities, entry 3 ("Run"), minutes`."""
    if len(loc) < 2 or not isinstance(loc[1], int):
        return ", ".join(str(part) for part in loc) or "the entries"
    kind, number, *field = loc
    entry = content[kind][number]
    name = next(
        (str(entry[key]) for key in ("title", "text") if isinstance(entry, dict) and key in entry),
        "",
    )
    called = f' ("{name[:40]}")' if name else ""
    return ", ".join([f"{kind}, entry {int(number) + 1}{called}", *(str(part) for part in field)])
