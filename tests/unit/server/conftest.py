"""Apps over the packaged networks, without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from moodlens.server import ServerSettings, create_app

SAMPLES = Path(__file__).parents[3] / "src" / "moodlens" / "webapp" / "samples"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """With small limits, so that tests reach them."""
    settings = ServerSettings(max_body_mb=1.0, max_pixels=1_000_000, max_pictures=4, queue=8)
    with TestClient(create_app(settings, detector="moodlens")) as found:
        yield found


@pytest.fixture(scope="session")
def face() -> bytes:
    """A JPEG with one face: an average of many."""
    picture = cv2.imread(str(SAMPLES / "average-happy.png"))
    assert picture is not None
    frame = np.full((480, 640, 3), 128, np.uint8)
    small = cv2.resize(picture, (300, 300))
    frame[90:390, 170:470] = small
    return cv2.imencode(".jpg", frame)[1].tobytes()


@pytest.fixture(scope="session")
def nobody() -> bytes:
    """A JPEG without a face."""
    return cv2.imencode(".jpg", np.full((480, 640, 3), 90, np.uint8))[1].tobytes()
