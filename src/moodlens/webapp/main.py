"""The web app: its pages and what frames them."""

from __future__ import annotations

import streamlit as st

from moodlens.webapp.views import history, live, model, picture, video


def main() -> None:
    """Draw the page that is chosen."""
    st.set_page_config(page_title="moodlens", page_icon="🙂", layout="wide")
    page = st.navigation(
        [
            st.Page(picture.show, title="Picture", icon="🖼️", url_path="picture", default=True),
            st.Page(live.show, title="Live", icon="🎥", url_path="live"),
            st.Page(video.show, title="Video", icon="🎞️", url_path="video"),
            st.Page(history.show, title="History", icon="🗂️", url_path="history"),
            st.Page(model.show, title="Model and limits", icon="ℹ️", url_path="model"),
        ]
    )
    with st.sidebar:
        st.caption(
            "moodlens shows the **apparent** emotion of a face. Pictures stay in memory on the "
            "machine that runs this app and are not sent on; numbers are kept only when you save "
            "a session."
        )
    page.run()
