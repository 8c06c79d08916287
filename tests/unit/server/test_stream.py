"""The WebSocket: ids and steady labels, the newest frame wins, limits."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from moodlens.server import ServerSettings, create_app
from moodlens.types import Analysis


def test_frames_are_answered_with_ids_and_ages(client: TestClient, face: bytes) -> None:
    with client.websocket_connect("/v1/stream") as socket:
        for number in range(3):
            socket.send_bytes(face)
            said = socket.receive_json()
            assert said["frame"] == number
            assert said["dropped"] == 0
            assert said["age_ms"] >= 0
            assert [f["track_id"] for f in said["faces"]] == [1]
        socket.send_bytes(b"junk")
        assert "not a picture" in socket.receive_json()["error"]
        socket.send_bytes(face)
        assert socket.receive_json()["faces"][0]["emotion"] == "happy"


def test_each_connection_has_its_own_memory(client: TestClient, face: bytes) -> None:
    with (
        client.websocket_connect("/v1/stream") as one,
        client.websocket_connect("/v1/stream") as two,
    ):
        for socket in (one, two):
            socket.send_bytes(face)
            assert socket.receive_json()["faces"][0]["track_id"] == 1


def test_the_newest_frame_wins(
    client: TestClient, face: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = client.app.state.engine  # type: ignore[attr-defined]
    begun, go_on = threading.Event(), threading.Event()
    seen: list[bytes] = []

    def slow(state: Any, data: bytes, at_s: float) -> Analysis:
        seen.append(data)
        begun.set()
        assert go_on.wait(5)
        return Analysis("stream", 1, 1)

    monkeypatch.setattr(engine, "_next_frame", slow)
    with client.websocket_connect("/v1/stream") as socket:
        socket.send_bytes(b"0")
        assert begun.wait(5)
        for number in (b"1", b"2"):
            socket.send_bytes(number)
        threading.Event().wait(0.2)
        go_on.set()
        assert socket.receive_json()["frame"] == 0
        said = socket.receive_json()
    assert (said["frame"], said["dropped"]) == (2, 1)
    assert seen == [b"0", b"2"]


def test_limits_close_with_a_reason(face: bytes) -> None:
    settings = ServerSettings(max_body_mb=0.1, max_streams=1)
    with TestClient(create_app(settings, detector="moodlens")) as client:
        with client.websocket_connect("/v1/stream") as socket:
            socket.send_text("hello")
            with pytest.raises(WebSocketDisconnect) as caught:
                socket.receive_json()
            assert caught.value.code == 1003
        with client.websocket_connect("/v1/stream") as socket:
            socket.send_bytes(b"x" * 200_000)
            with pytest.raises(WebSocketDisconnect) as caught:
                socket.receive_json()
            assert caught.value.code == 1009
        with client.websocket_connect("/v1/stream") as socket:
            socket.send_bytes(face)
            socket.receive_json()
            with client.websocket_connect("/v1/stream") as second:
                with pytest.raises(WebSocketDisconnect) as caught:
                    second.receive_json()
                assert caught.value.code == 1013


def test_frames_beyond_the_rate_are_passed_over(face: bytes) -> None:
    settings = ServerSettings(stream_fps=2.0)
    with (
        TestClient(create_app(settings, detector="moodlens")) as client,
        client.websocket_connect("/v1/stream") as socket,
    ):
        for _ in range(20):
            socket.send_bytes(face)
        found = [socket.receive_json()]
        while found[-1]["frame"] < 19:
            found.append(socket.receive_json())
    assert len(found) <= 3
    assert found[-1]["dropped"] == 20 - len(found)


def test_a_wrong_key_is_not_let_in(tmp_path: Any) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text("team:" + "k" * 20 + "\n")
    with TestClient(create_app(ServerSettings(keys_file=keys), detector="moodlens")) as client:
        with (
            pytest.raises(WebSocketDisconnect) as caught,
            client.websocket_connect("/v1/stream"),
        ):
            pass
        assert caught.value.code == 1008
        good = {"Authorization": "Bearer " + "k" * 20}
        with client.websocket_connect("/v1/stream", headers=good) as socket:
            socket.send_bytes(b"junk")
            assert socket.receive_json()["error"]
