"""The live page: the browser's webcam there and back, and what it shows beside it."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

import av
import streamlit as st
from streamlit_webrtc import WebRtcMode, webrtc_streamer

from moodlens.imaging.draw import draw
from moodlens.lens import Lens
from moodlens.types import Analysis
from moodlens.webapp import cards
from moodlens.webapp.shared import own_recommender, shared_lens


class LiveView:
    """One viewer's stream: frames in, annotated frames out, the latest result for the page."""

    def __init__(self, lens: Lens) -> None:
        self._session = lens.open_session()
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._times: deque[float] = deque(maxlen=60)
        self._latest: Analysis | None = None
        self._settled: str | None = None

    def recv(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Called on the stream's own thread for every frame."""
        image = frame.to_ndarray(format="bgr24")
        now = time.monotonic()
        analysis = self._session.process(image, now - self._started, source="webcam")
        with self._lock:
            self._latest = analysis
            self._times.append(now)
            largest = analysis.largest
            if largest is not None and (
                self._settled is None
                or any(event.track_id == largest.track_id for event in analysis.events)
            ):
                self._settled = largest.emotion
        return av.VideoFrame.from_ndarray(draw(image, analysis), format="bgr24")

    def state(self) -> tuple[Analysis | None, str | None, float]:
        """The latest result, the emotion that has settled, and frames a second."""
        with self._lock:
            times = list(self._times)
            rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 2 else 0.0
            return self._latest, self._settled, rate


def show() -> None:
    """Draw the page."""
    st.title("Live")
    video, beside = st.columns([3, 2])
    with video:
        lens = shared_lens()
        context = webrtc_streamer(
            key="live",
            mode=WebRtcMode.SENDRECV,
            rtc_configuration={"iceServers": _ice_servers()},
            media_stream_constraints={
                "video": {"width": {"ideal": 640}, "height": {"ideal": 480}},
                "audio": False,
            },
            video_processor_factory=lambda: LiveView(lens),
            async_processing=True,
        )
        st.caption("Frames are analysed in memory on the machine that runs this app.")
    with beside:
        _beside(context)


def _ice_servers() -> list[dict[str, Any]]:
    try:
        return [dict(server) for server in st.secrets.get("ice_servers", [])]
    except FileNotFoundError:
        return []


@st.fragment(run_every=0.5)
def _beside(context: Any) -> None:
    view: LiveView | None = context.video_processor if context.state.playing else None
    if view is None:
        st.info("Press START and allow the camera. The picture never leaves this machine.")
        return
    analysis, settled, rate = view.state()
    if analysis is None:
        st.info("Waiting for the first frame …")
        return
    st.caption(f"{rate:.0f} frames a second · {len(analysis.faces)} face(s) in view")
    if analysis.largest is None:
        cards.no_face()
        return
    cards.face_heading(analysis.largest)
    cards.probability_bars(analysis.largest)
    if settled is None:
        return
    if st.session_state.get("live_emotion") != settled:
        st.session_state.live_emotion = settled
        st.session_state.live_found = own_recommender().recommend(settled)
    with st.container(border=True):
        cards.recommendation_card(st.session_state.live_found)
