"""What all viewers share: one lens a detector, one catalogue, one history, and fair turns."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from moodlens.errors import HistoryError, MissingExtraError
from moodlens.lens import Lens
from moodlens.recommendations import Catalogue, load_catalogue
from moodlens.settings import settings
from moodlens.webapp.admission import Admission
from moodlens.webapp.text import plain

if TYPE_CHECKING:
    from moodlens.history import History

VIEWERS_A_CORE = 2
MOST_LENSES = 12
CHOSEN_MODEL = "chosen-model"
"""Under this name a viewer's session keeps the path of the model they chose."""
Found = TypeVar("Found")


def shared_lens(detector: str | None = None) -> Lens:
    """The lens of this process, safe for every viewer at once; with the model this viewer chose.

    Raises:
        MoodlensError: the detector or the model can't be used.
    """
    return _lens_of(st.session_state.get(CHOSEN_MODEL), detector)


@st.cache_resource(show_spinner="Loading the network …", max_entries=MOST_LENSES)
def _lens_of(model: str | None, detector: str | None) -> Lens:
    return Lens(model=model, detector=detector)


@st.cache_resource(show_spinner=False)
def shared_catalogue() -> Catalogue:
    """The quotes, activities and music."""
    return load_catalogue(settings().catalogue)


@st.cache_resource(show_spinner=False)
def shared_history() -> History:
    """The database of sessions.

    Raises:
        HistoryError: its address makes no sense. MissingExtraError: its driver is not installed.
    """
    from moodlens.history import History  # SQLAlchemy takes its time; the first page needs none

    return History()


@st.cache_resource(show_spinner=False)
def turns() -> threading.Semaphore:
    """As many pictures are decoded at once as there are cores, so that memory stays bounded."""
    return threading.Semaphore(max(cores(), 1))


@st.cache_resource(show_spinner=False)
def live_workers() -> ThreadPoolExecutor:
    """They analyse all live viewers' frames, one for each core: more would only delay them."""
    # What is loaded by now stays; a garbage collector that looks through it stops all video.
    gc.collect()
    gc.freeze()
    # Packets wait for their turn between threads that compute; 5 ms each time would add up.
    sys.setswitchinterval(0.001)
    return ThreadPoolExecutor(max(cores(), 1), "live")


@st.cache_resource(show_spinner=False)
def live_seats() -> Admission:
    """The seats of live viewers: as set, else as in the secrets, else two for each core."""
    chosen = settings().live_viewers or secret("live_viewers", None)
    return Admission(max(int(chosen), 1) if chosen else max(VIEWERS_A_CORE * cores(), 2))


def cores() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def secret(name: str, default: Found) -> Found:
    """A value of `.streamlit/secrets.toml`; the default where there is no such file."""
    try:
        found: Found = st.secrets.get(name, default)
    except FileNotFoundError:
        return default
    return found


def ice_servers() -> list[dict[str, Any]]:
    """The STUN and TURN servers for live video: as set, else as in the secrets."""
    chosen = settings().ice_servers
    if chosen:
        return [server.model_dump(exclude_none=True) for server in chosen]
    named: list[Any] = secret("ice_servers", [])
    return [dict(server) for server in named]


def with_history(use: Callable[[History], Found], otherwise: str) -> Found | None:
    """What `use` makes of the history; None, and a warning on the page, when it fails.

    Args:
        use: called with the database.
        otherwise: what the failure means for the user, such as "Nothing is saved".
    """
    try:
        return use(shared_history())
    except (HistoryError, MissingExtraError) as error:
        st.warning(f"{otherwise}: {plain(str(error))}", icon="💾")
        return None
