"""What a fresh process runs that is measured from outside: its first result, then its memory.

Run as a file (`python -P bench_child.py DETECTOR PICTURE FRAMES`), so that nothing but what a
first result needs is imported before it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def resident_mib() -> tuple[float, float]:
    """Resident memory of this process in MiB: now, and at its peak.

    Where the system does not tell what is resident now, both are the peak; where it tells
    neither, both are 0.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        now, peak = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
        return now, peak
    try:
        import resource
    except ImportError:  # Windows has no such module
        return 0.0, 0.0
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = largest / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return peak, peak


def main(detector: str, picture: str, frames: int) -> None:
    """Write a line of JSON after the first result and another after the frames."""
    began = time.perf_counter()
    from moodlens.lens import Lens

    imported = time.perf_counter()
    lens = Lens(detector=detector)
    loaded = time.perf_counter()
    found = lens.analyze(picture)
    times = {
        "import_s": imported - began,
        "load_s": loaded - imported,
        "first_frame_s": time.perf_counter() - loaded,
        "faces": len(found.faces),
        "resident_first_mib": resident_mib()[0],
    }
    print(json.dumps(times), flush=True)
    from moodlens.imaging import load_image

    frame = load_image(picture)
    session = lens.open_session()
    for _ in range(frames):
        session.process(frame)
    now, peak = resident_mib()
    print(json.dumps({"resident_mib": now, "peak_mib": peak}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
