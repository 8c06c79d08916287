"""Logs: one JSON object a line on standard error; ids and figures, never what a picture shows."""

from __future__ import annotations

import logging
import sys

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

LOGGER = "moodlens.server"
LEVELS = ("debug", "info", "warning", "error")


def configure(level: str = "info") -> None:
    """Send our own and uvicorn's lines to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger", "message": "event"},
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
            timestamp=True,
        )
    )
    for name in (LOGGER, "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler] if name != "uvicorn.error" else []
        logger.propagate = name == "uvicorn.error"
        logger.setLevel(level.upper())


def logger() -> logging.Logger:
    """The server's own."""
    return logging.getLogger(LOGGER)
