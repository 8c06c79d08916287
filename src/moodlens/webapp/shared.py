"""What all viewers share: one lens for the process, and one catalogue."""

from __future__ import annotations

import streamlit as st

from moodlens.lens import Lens
from moodlens.recommendations import Catalogue, Recommender, load_catalogue
from moodlens.settings import settings


@st.cache_resource(show_spinner="Loading the network …")
def shared_lens(detector: str = "auto") -> Lens:
    """The lens of this process; safe for every viewer at once."""
    return Lens(detector=detector)


@st.cache_resource(show_spinner=False)
def shared_catalogue() -> Catalogue:
    """The quotes, activities and music."""
    return load_catalogue(settings().catalogue)


def own_recommender() -> Recommender:
    """The viewer's own: it remembers what was shown, so that nothing comes twice."""
    if "recommender" not in st.session_state:
        st.session_state.recommender = Recommender(shared_catalogue())
    return st.session_state.recommender  # type: ignore[no-any-return]
