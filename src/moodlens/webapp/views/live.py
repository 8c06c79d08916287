"""The live page: the browser's webcam there and back, and what it shows beside it."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st
from streamlit_webrtc import WebRtcMode, webrtc_streamer

from moodlens.errors import MoodlensError
from moodlens.webapp import cards, charts, figures
from moodlens.webapp.link import LiveLink
from moodlens.webapp.sessions import offer_to_save, session_figures
from moodlens.webapp.shared import ice_servers, live_seats, live_workers, shared_lens
from moodlens.webapp.stream import WINDOW_S, LiveChoices, LiveState, LiveView
from moodlens.webapp.suggestions import suggestions
from moodlens.webapp.text import plain

UPDATE_S = 0.5
"""Between two updates of the charts; at most five a second are asked for."""
COURSE_S = 1.0
SUGGEST_S = 2.0
CAMERA_FPS = 24
"""Asked of the camera: every frame is decoded and encoded, so more of them cost all viewers."""
SLOW_START_S = 10.0
LOST_S = 4.0
"""A camera that has sent nothing for so long is lost."""
DETECTORS = {"auto": "best there is", "moodlens": "moodlens", "yunet": "YuNet", "haar": "Haar"}
CONSENT = (
    "**Before the camera starts.** Frames are analysed in the memory of the machine that runs this "
    "app and are gone at once; nothing is stored unless you save the session's numbers at the end. "
    "Start it only when you, and everybody whom the camera sees, agree."
)


def show() -> None:
    """Draw the page."""
    st.title("Live")
    holder: dict[str, Any] = st.session_state.setdefault("live-viewer", {})
    choices, detector = _choices(holder)
    video, beside = st.columns([3, 2])
    with video:
        context = _stream(holder, choices, detector)
    with beside:
        _beside(context, holder)
    _course(context, holder)
    _suggest(context, holder)
    if context is not None and not context.state.playing:
        _after(holder)


def _choices(holder: dict[str, Any]) -> tuple[LiveChoices, str]:
    """The controls above the video; a running stream follows them at once."""
    with st.container(horizontal=True, vertical_alignment="center"):
        mirror = st.toggle("Mirror", key="live-mirror", help="Left to right, as a mirror does")
        paused = st.toggle("Pause", key="live-pause", help="Hold the last frame")
        with st.popover("Settings"):
            smoothing = st.slider(
                "Smoothing, in seconds",
                0.0,
                2.0,
                0.08,
                0.02,
                help="More is steadier, less is quicker.",
            )
            smallest = st.slider("Smallest face, in pixels", 16, 200, 24)
            detector = st.selectbox(
                "Face detector",
                list(DETECTORS),
                format_func=DETECTORS.__getitem__,
                help="Takes effect at the next START.",
            )
            st.caption("The camera is chosen with SELECT DEVICE under the video.")
    choices = LiveChoices(mirror, paused, smoothing, float(smallest))
    view: LiveView | None = holder.get("view")
    if view is not None:
        view.choose(choices)
    return choices, detector


def _stream(holder: dict[str, Any], choices: LiveChoices, detector: str) -> Any:
    """The video and its buttons; None when the machine is full or the detector can't be used."""
    seats = live_seats()
    own: LiveView | None = holder.get("view")
    # Between START and the first frame the place is taken and nothing plays yet.
    seated = holder.get("playing") or (own is not None and own.seated)
    if seats.full and not seated:
        st.warning(
            f"All {seats.capacity} live places of this machine are taken, so that everybody keeps "
            "a smooth picture. Please try again in a minute; the Picture page works meanwhile.",
            icon="🚦",
        )
        st.button("Try again")
        return None
    try:
        lens = shared_lens(None if detector == "auto" else detector)
    except MoodlensError as error:
        st.error(plain(str(error)), icon="🚫")
        return None

    def start() -> LiveView:
        view = holder["view"] = LiveView(lens, choices, seat=seats.take())
        holder.pop("saved", None)
        return view

    link: LiveLink | None = holder.get("link")
    if link is None or link.ended:
        link = holder["link"] = LiveLink(live_workers(), start)
    link.make_view = start  # with the choices of now
    context = webrtc_streamer(
        key="live",
        mode=WebRtcMode.SENDRECV,
        sink_video_track=link,
        source_video_track=link.source,
        rtc_configuration={"iceServers": ice_servers()},
        media_stream_constraints={
            "video": {
                "width": {"ideal": 640},
                "height": {"ideal": 480},
                "frameRate": {"ideal": CAMERA_FPS},
            },
            "audio": False,
        },
        translations={
            "device_access_denied": "The camera was denied. Allow it for this address in the "
            "browser's settings, then reload the page.",
            "device_not_available": "No camera was found. Plug one in, or use the Snapshot tab of "
            "the Picture page.",
        },
    )
    holder["playing"] = bool(context.state.playing)
    return context


@st.fragment(run_every=UPDATE_S)
def _beside(context: Any, holder: dict[str, Any]) -> None:
    """What is seen now, a few times a second."""
    if context is None:
        return
    started = context.state.playing or context.state.signalling
    view: LiveView | None = holder.get("view") if started else None
    state = None if view is None else view.state()
    if not started:
        holder.pop("asked_at", None)
        st.info(CONSENT, icon="🔒")
        st.info("Press START and allow the camera.", icon="🎥")
        with st.expander("The camera does not start?"):
            _connection_help()
        return
    asked_at = holder.setdefault("asked_at", time.monotonic())
    if state is not None and state.refused:
        st.warning("The last free place was just taken. Press STOP and try again in a minute.")
        return
    if state is None or state.analysis is None:
        if time.monotonic() - asked_at < SLOW_START_S:
            st.info("Waiting for the first frame …", icon="⏳")
        else:
            st.warning(
                "No frame has arrived for ten seconds. Either the camera was not allowed, or the "
                "network between this browser and the machine blocks video.",
                icon="📡",
            )
            _connection_help()
        return
    if state.silent_s > LOST_S:
        st.warning(
            f"The camera has sent nothing for {state.silent_s:.0f} seconds. Is it still plugged "
            "in, and does no other program use it? Press STOP and START to try again; STOP "
            "keeps what was seen so far.",
            icon="📷",
        )
        return
    _figures(state)


def _connection_help() -> None:
    """What to do when no frame comes."""
    has_turn = any("turn" in str(server.get("urls", "")) for server in ice_servers())
    st.markdown(
        "- Allow the camera for this address in the browser's settings (a denied camera stays "
        "denied until then), then press STOP and START."
        "\n- Close other programs that use the camera.\n- "
        + (
            "The TURN server of this app did not help; ask its keeper whether it runs."
            if has_turn
            else "Behind a firewall, or with the app on another machine, a TURN server is needed: "
            "its keeper names one in `MOODLENS_ICE_SERVERS` or `.streamlit/secrets.toml`."
        )
        + "\n- Meanwhile the **Snapshot** tab of the Picture page needs no video connection."
    )


def _figures(state: LiveState) -> None:
    analysis = state.analysis
    assert analysis is not None
    faces = len(analysis.faces)
    st.caption(
        f"{state.frames_per_s:.0f} frames a second · {faces} face{'' if faces == 1 else 's'} "
        f"in view  \nshown frame {1000 * state.age_s:.0f} ms old"
    )
    face = analysis.largest
    if face is None:
        cards.no_face()
    else:
        cards.face_heading(face)
        cards.probability_bars(face)


def _playing(context: Any, holder: dict[str, Any]) -> LiveState | None:
    """What the viewer's video shows; None while none plays."""
    view: LiveView | None = holder.get("view")
    if context is None or not context.state.playing or view is None:
        return None
    return view.state()


@st.fragment(run_every=COURSE_S)
def _course(context: Any, holder: dict[str, Any]) -> None:
    """The last minute and the shares; they change slowly, so they are drawn seldom."""
    state = _playing(context, holder)
    if state is None or state.analysis is None or state.refused:
        return
    face = state.analysis.largest
    now = "no face" if face is None else f"now {face.emotion}, {face.confidence:.0%}"
    minute, shares = st.columns([3, 2])
    with minute:
        st.markdown("**The last minute**")
        st.html(
            figures.stacked(
                [(age, scores) for age, scores, _, _ in state.points],
                WINDOW_S,
                f"Probabilities over the last minute; {now}",
                6,
            )
            + charts.emotion_key()
        )
        st.html(
            figures.lines(
                [(age, valence, arousal) for age, _, valence, arousal in state.points],
                WINDOW_S,
                "Valence and arousal over the last minute",
                3.5,
            )
            + charts.mood_key()
        )
    with shares:
        st.markdown("**Share of the time so far**")
        st.html(figures.bars(state.shares, None, "live-shares"))


@st.fragment(run_every=SUGGEST_S)
def _suggest(context: Any, holder: dict[str, Any]) -> None:
    """Suggestions for the mood that has lasted; slower, so that its buttons can be pressed."""
    state = _playing(context, holder)
    if state is not None and state.settled is not None:
        suggestions(state.settled, 1.0, "live", state.settled_s)


def _after(holder: dict[str, Any]) -> None:
    """What the session showed, once it is over."""
    view: LiveView | None = holder.get("view")
    if view is None:
        return
    recorded = view.recorded("Live session")
    if not recorded.frames:
        return
    st.subheader("Your session")
    session_figures(recorded, view.summary())
    offer_to_save(recorded, holder)
