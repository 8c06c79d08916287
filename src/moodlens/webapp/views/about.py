"""What the model is, how well it does, and what it must not be used for."""

from __future__ import annotations

import streamlit as st

from moodlens.webapp.shared import shared_lens


def show() -> None:
    """Draw the page."""
    lens = shared_lens()
    info = lens.classifier.info
    st.title("The model and its limits")
    st.markdown(f"**{info.name}**, version {info.version}. Face detector: {lens.detector.name}.")
    if info.metrics:
        st.json(info.metrics, expanded=1)
    st.subheader("Limits")
    st.markdown(
        "- The model names what a face *seems* to show, not what a person feels.\n"
        "- It was trained on web photographs with disputed labels; about three in ten of its "
        "answers on such pictures differ from the label.\n"
        "- It does worse on dark, blurred, turned or covered faces, and may do worse for groups "
        "of people that its training pictures show seldom."
    )
    st.subheader("Uses not allowed")
    st.markdown(
        "- Inferring emotions of people at work or in education: banned in the European Union "
        "(AI Act, Article 5).\n"
        "- Decisions about people: hiring, grading, policing, insurance, credit, diagnosis.\n"
        "- Watching people who have not agreed to it."
    )
