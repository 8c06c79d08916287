"""What the model is, how well it does, what it is not for; and how to use another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from moodlens.artifacts import Reading, make_reading, registry, resolve_model
from moodlens.errors import MoodlensError
from moodlens.recognition.metadata import ModelInfo
from moodlens.webapp import charts
from moodlens.webapp.shared import CHOSEN_MODEL, secret, shared_lens
from moodlens.webapp.text import plain

MEGABYTE = 1e6


def show() -> None:
    """Draw the page."""
    st.title("The model and its limits")
    note = st.session_state.pop("model-note", None)
    if note:
        st.success(plain(note), icon="✅")
    lens = shared_lens()
    info = lens.classifier.info
    st.markdown(
        f"**{plain(info.name)}**, version {plain(info.version)}, finds the apparent emotion of "
        f"faces that the detector *{plain(lens.detector.name)}* has found."
        + (f"  \n{plain(info.description)}." if info.description else "")
    )
    _figures(info)
    _choose()
    _limits()


def _figures(info: ModelInfo) -> None:
    metrics = info.metrics
    if "accuracy" not in metrics:
        st.info(
            "The file of this model holds no figures. `moodlens evaluate DATA --model …` "
            "measures it.",
            icon="📏",
        )
        return
    split, count = plain(str(metrics.get("split", "its test"))), metrics.get("n")
    shown = [
        ("Right answers", metrics["accuracy"], f"Of {count} pictures of {split}, one crop each"),
        (
            "Without twins",
            metrics.get("accuracy_without_twins"),
            f"Of the {metrics.get('n_without_twins')} that are not in the training data, too",
        ),
        (
            "Calibration error",
            metrics.get("ece_cross_validated"),
            "How far the confidence is from the share of right answers, on average (15 bins)",
        ),
        (
            "Sets that hold the label",
            (metrics.get("conformal") or {}).get("coverage_other_half"),
            "The 90 % prediction sets, checked on pictures they were not fitted on",
        ),
    ]
    there = [row for row in shown if isinstance(row[1], int | float)]
    for column, (name, value, said) in zip(st.columns(len(there)), there, strict=True):
        column.metric(name, f"{value:.1%}", help=said)
    left, right = st.columns(2)
    confusion: Any = metrics.get("confusion")
    with left:
        if _is_square(confusion):
            st.markdown("**What is taken for what**")
            st.altair_chart(charts.confusion(confusion, info.labels))
            st.caption("A row is the label people gave; its shares add up to 100 %.")
    with right:
        bins = metrics.get("reliability")
        if isinstance(bins, list) and bins:
            st.markdown("**Does the confidence mean what it says?**")
            st.altair_chart(charts.reliability(bins))
            st.caption(
                "Each dot is a group of answers of like confidence; on the line, as many of them "
                "are right as the confidence says."
            )
    with st.expander("All figures"):
        st.json(metrics, expanded=1)


def _is_square(matrix: Any) -> bool:
    return (
        isinstance(matrix, Sequence)
        and len(matrix) == 7
        and all(isinstance(row, Sequence) and len(row) == 7 for row in matrix)
    )


def _choose() -> None:
    st.subheader("Use another model")
    if not secret("model_choice", True):
        st.caption("Whoever runs this app has switched the choice of models off.")
        return
    st.caption(
        "For you alone, until you close this page. A model from a link is fetched to the machine "
        "that runs this app, checked, and kept there."
    )
    known = [name for name, entry in registry().items() if entry.kind == "emotion"]
    chosen = st.radio("A model that is known by name", known, key="model-name", horizontal=True)
    spec = st.text_input(
        "Or a path or link",
        key="model-spec",
        placeholder="a Google Drive link · https://… · hf:owner/repository/file · s3://… · a path",
    )
    with st.expander("It is a Keras file of another kind"):
        st.caption(
            "Leave this as it is for 48x48 gray pixels from 0 to 1 and labels in FER2013's order."
        )
        size = st.number_input("Input size in pixels", 16, 512, 48, key="model-size")
        scale = st.selectbox("Black and white are", ["0:1", "-1:1", "0:255"], key="model-scale")
        labels = st.text_input("Labels, in the order of the outputs", key="model-labels")
    use, back = st.columns([1, 3])
    if use.button("Use it", type="primary", icon=":material/download:"):
        _load(spec.strip() or str(chosen), _reading(int(size), str(scale), labels.strip()))
    if CHOSEN_MODEL in st.session_state and back.button("Back to the model of the app"):
        del st.session_state[CHOSEN_MODEL]
        st.session_state.pop("pictures", None)
        st.rerun()


def _reading(size: int, scale: str, labels: str) -> Mapping[str, Any]:
    said: dict[str, Any] = {}
    if size != 48:
        said["input_size"] = size
    if scale != "0:1":
        said["scale"] = scale
    if labels:
        said["labels"] = labels
    return said


def _load(spec: str, said: Mapping[str, Any]) -> None:
    bar = st.progress(0.0, "Looking for the model …")

    def tell(done: int, total: int | None) -> None:
        share = min(done / total, 1.0) if total else 0.0
        of = f" of {total / MEGABYTE:.1f}" if total else ""
        bar.progress(share, f"Fetching: {done / MEGABYTE:.1f}{of} MB")

    before = st.session_state.get(CHOSEN_MODEL)
    try:
        reading: Reading | None = make_reading("the options above", **said) if said else None
        path: Path = resolve_model(spec, reading=reading, progress=tell)
        bar.progress(1.0, "Trying it …")
        st.session_state[CHOSEN_MODEL] = str(path)
        name = shared_lens().classifier.info.name
    except MoodlensError as error:
        if before is None:
            st.session_state.pop(CHOSEN_MODEL, None)
        else:
            st.session_state[CHOSEN_MODEL] = before
        st.error(f"{plain(str(error))}  \nThe model from before stays in use.", icon="🚫")
        return
    finally:
        bar.empty()
    st.session_state.pop("pictures", None)
    st.session_state["model-note"] = f"{name} is in use now, on every page of yours."
    st.rerun()


def _limits() -> None:
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
