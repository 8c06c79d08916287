"""The web app: its pages and what frames them."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable

import streamlit as st

LATER = (
    "pylibsrtp",  # of the live page; started after TensorFlow it would crash
    "aiortc",
    *(f"moodlens.webapp.views.{name}" for name in ("video", "history", "model")),
)
"""Not the live page itself: Streamlit registers its video only where a page is being drawn."""


def _page(name: str) -> Callable[[], None]:
    """Draws a page; its module is imported when it is first wanted, so that the first is quick."""

    def show() -> None:
        importlib.import_module(f"moodlens.webapp.views.{name}").show()

    return show


@st.cache_resource(show_spinner=False)
def _warm_up() -> threading.Thread:
    """Imports what the other pages need while the first page is looked at."""

    def work() -> None:
        for name in LATER:
            importlib.import_module(name)

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


def main() -> None:
    """Draw the page that is chosen."""
    st.set_page_config(page_title="moodlens", page_icon="🙂", layout="wide")
    page = st.navigation(
        [
            st.Page(_page("picture"), title="Picture", icon="🖼️", url_path="picture", default=True),
            st.Page(_page("live"), title="Live", icon="🎥", url_path="live"),
            st.Page(_page("video"), title="Video", icon="🎞️", url_path="video"),
            st.Page(_page("history"), title="History", icon="🗂️", url_path="history"),
            st.Page(_page("model"), title="Model and limits", icon="ℹ️", url_path="model"),
        ]
    )
    with st.sidebar:
        st.caption(
            "moodlens shows the **apparent** emotion of a face. Pictures stay in memory on the "
            "machine that runs this app and are not sent on; numbers are kept only when you save "
            "a session."
        )
    page.run()
    _warm_up()
