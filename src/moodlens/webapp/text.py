"""Text from outside (file names, titles, quotes) shown as text, never as markup."""

from __future__ import annotations

import re

_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$<>:&^=@])")
LONGEST_NAME = 60


def plain(text: str) -> str:
    """Markdown that shows exactly this text on one line.

    Every mark that Markdown, its links, emoji shortcodes or formulas could read is escaped, so a
    file named `![x](http://…)` or `:red[x]` shows its name and does nothing.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return _MARKS.sub(r"\\\1", line)


def short_name(name: str) -> str:
    """A file name that fits on a line: its start and its ending."""
    if len(name) <= LONGEST_NAME:
        return name
    return name[: LONGEST_NAME - 16] + "…" + name[-15:]


def safe_stem(name: str) -> str:
    """A file name's stem for a download: letters, digits, dash and underscore alone."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", name.replace("\\", "/").rsplit("/", 1)[-1])
    return re.sub(r"[^\w-]+", "-", stem).strip("-")[:60] or "moodlens"
