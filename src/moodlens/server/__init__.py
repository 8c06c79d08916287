"""The pipeline behind an API: REST and WebSocket, for teams (`moodlens serve`)."""

from __future__ import annotations

from moodlens.server.app import create_app
from moodlens.server.settings import ServerSettings

__all__ = ["ServerSettings", "create_app"]
