"""A Ray cluster to work on: one that is there, or one of this machine alone."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
from typing import Any

from moodlens.errors import MissingExtraError, SettingsError

ON_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""0: a cluster of this machine alone, whose own ports are not open to others, on Linux too."""


def need_ray(library: str, *, alone: bool = False) -> Any:
    """The package, with one of its libraries imported.

    Args:
        library: `ray.data` or `ray.serve`.
        alone: a cluster of this machine will be started.

    Raises:
        MissingExtraError: it is not installed.
    """
    if alone and "ray" not in sys.modules:
        os.environ.setdefault(ON_LOOPBACK, "0")  # read when Ray is imported
    try:
        import ray

        importlib.import_module(library)
    except ImportError as error:
        raise MissingExtraError("--engine ray", "cluster") from error
    return ray


def join(ray: Any, address: str | None, cpus: float | None) -> bool:
    """Join or start a cluster.

    Args:
        ray: the package.
        address: `auto`, `HOST:PORT` or `ray://…`; None: start one in this process.
        cpus: of a cluster that is started; None: the machine's.

    Returns:
        Whether this call did it; False where the process was on a cluster already.

    Raises:
        SettingsError: there is no cluster at that address.
    """
    if ray.is_initialized():
        return False
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            ray.init(num_cpus=cpus, include_dashboard=False, **quiet)
        else:
            knock(address)
            ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise SettingsError(f"--address {address}: no Ray cluster there: {text}") from error
    return True


def knock(address: str) -> None:
    """Raises OSError at once where nobody listens; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal() and "://" not in address:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
