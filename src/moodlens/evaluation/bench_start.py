"""Cold start and memory of a fresh process, measured from outside."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from moodlens.errors import MoodlensError
from moodlens.evaluation import bench_child

TIMEOUT_S = 120.0
_SECONDS = ("cold_start_s", "import_s", "load_s", "first_frame_s", "command_s")
_MIB = ("resident_first_mib", "resident_mib", "peak_mib")


def measure_start(
    detector: str, picture: Path, *, runs: int, frames: int, model: str | None = None
) -> dict[str, Any]:
    """Medians over fresh processes, started one after the other.

    Args:
        detector: by name.
        picture: a picture file with a face.
        runs: how many processes.
        frames: how many frames each analyses after its first result, before memory is read.
        model: a model SPEC; None: as set.

    Returns:
        `cold_start_s`, from the start of a Python process to its first result, of which
        `import_s`, `load_s` and `first_frame_s`; `command_s`, the whole of `moodlens analyze`;
        `resident_first_mib` after the first result, `resident_mib` and `peak_mib` after the
        frames: of all runs the highest.

    Raises:
        MoodlensError: a process failed or took longer than `TIMEOUT_S`.
    """
    environment = {**os.environ, "MOODLENS_DETECTOR": detector}
    if model is not None:
        environment["MOODLENS_MODEL"] = model
    found = []
    for _ in range(max(runs, 1)):
        child = [str(bench_child.__file__), detector, str(picture), str(frames)]
        took, lines = _time_to_first_line(["-P", *child], environment)
        command = ["-m", "moodlens", "analyze", str(picture), "--format", "json"]
        command_s, _ = _time_to_first_line(command, environment)
        first, then = (json.loads(line) for line in lines.splitlines())
        found.append({"cold_start_s": took, "command_s": command_s, **first, **then})
    return {
        "detector": detector,
        "runs": len(found),
        "faces": found[0]["faces"],
        **{key: round(statistics.median(run[key] for run in found), 3) for key in _SECONDS},
        **{key: round(max(run[key] for run in found), 1) for key in _MIB},
    }


def _time_to_first_line(arguments: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Seconds from the start of a Python process to its first line, and all it wrote."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    too_long = threading.Timer(TIMEOUT_S, process.kill)
    too_long.start()
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        took = time.perf_counter() - started
        rest, errors = process.communicate()
    finally:
        too_long.cancel()
        process.kill()
        process.wait()
    if process.returncode:
        said = errors.strip().splitlines()
        reason = said[-1] if said else f"it ended with status {process.returncode}"
        raise MoodlensError(f"a fresh process for the measurement failed: {reason}")
    return took, first + rest
