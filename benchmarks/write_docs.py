"""Puts the results of the benchmarks into their places in `docs/benchmarks.md`.

A place lies between `<!-- begin NAME -->` and `<!-- end NAME -->`. Only the places of the results
that are given change; of memory, video speed and label stability several results (of several
detectors) make one table. The table of targets is made anew of what is given: give all results.

    python benchmarks/write_docs.py results/*.json --write docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Result = dict[str, Any]


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table; all but the first column to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def measured_on(result: Result) -> str:
    """What the figures depend on, in a line."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {machine[name]}" for name in ("onnxruntime", "opencv"))
    return (
        f"Measured on {machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}, {versions}, moodlens {machine['moodlens']}."
    )


def of_bench(results: list[Result]) -> str:
    parts = [measured_on(results[-1]), ""]
    keys = ["decode_ms", "detect_ms", "crop_ms", "classify_ms", "whole_ms", "stream_ms", "floor_ms"]
    head = ["detector, frame", "faces", "threads", *(k.removesuffix("_ms") for k in keys), "ratio"]
    rows = []
    for result in results:
        for row in result["frames"]:
            name = f"{row['detector']} {row['width']}x{row['height']}"
            faces = (
                row["faces"]
                if row["found"] == row["faces"]
                else (f"{row['found']} of {row['faces']}")
            )
            ratio = row["times_the_floor"]
            rows.append([name, faces, row["threads"], *(row[key] for key in keys), ratio])
    parts += [table(head, rows), ""]
    head = ["a fresh process", "first result, s", "command, s", "resident, MiB", "peak, MiB"]
    keys = ["detector", "cold_start_s", "command_s", "resident_mib", "peak_mib"]
    starts = [row for result in results for row in result["start"]]
    parts.append(table(head, [[row[key] for key in keys] for row in starts]))
    return "\n".join(parts)


def of_versus_fer(results: list[Result]) -> str:
    result = results[-1]
    names = {
        "fer:default": "`fer` {version} as it comes",
        "fer:keras": "`fer` {version} with its larger network",
        "analyze": "`Lens.analyze`, {detector}",
        "stream": "a stream, {detector}",
        "floor": "the bare network calls, {detector}",
    }
    rows = []
    for row in result["results"]:
        way, _, detector = row["name"].partition(":")
        name = names.get(row["name"]) or names[way]
        rows.append(
            [
                name.format(version=row["version"], detector=detector),
                row["median_ms"],
                f"{row['p10_ms']:.2f} to {row['p90_ms']:.2f}",
                row.get("times_faster_than_fer"),
                row.get("times_the_floor"),
            ]
        )
    head = ["", "median, ms", "tenth to nine tenths", "times as fast as fer", "times the floor"]
    return f"{measured_on(result)}\n\n{table(head, rows)}"


def of_memory(results: list[Result]) -> str:
    head = ["detector", "frames", "tracks", "frame 200, MiB", "end, MiB", "growth, MiB"]
    keys = ["detector", "frames", "tracks", "settled_mib", "end_mib", "growth_mib"]
    rows = [[result[key] for key in keys] for result in results]
    return f"{measured_on(results[-1])}\n\n{table(head, rows)}"


def of_video_speed(results: list[Result]) -> str:
    head = [
        "detector",
        "cores",
        "decoded and analysed",
        "decoded only",
        "analysed only, one thread",
    ]
    keys = ["detector", "cores", "decode_and_analyse_per_s", "decode_per_s", "analyse_per_s"]
    rows = [[result[key] for key in keys] for result in results]
    return f"{measured_on(results[-1])} Frames a second:\n\n{table(head, rows)}"


def of_label_stability(results: list[Result]) -> str:
    rows: list[list[Any]] = []
    for name, part, key in (
        ("changes of the raw label", "flips", "raw_changes"),
        ("changes of the displayed label", "flips", "displayed_changes"),
        ("changes told as `emotion_changed`", "flips", "announced_changes"),
        ("switch: pairs of faces", "switch", "pairs"),
        ("switch: median delay, ms", "switch", "median_ms"),
        ("switch: 95 % within, ms", "switch", "p95_ms"),
        ("switch: share within 250 ms", "switch", "within_target"),
        ("neutral faces", "baseline", "neutral_faces"),
        ("of their time shown sad or angry, no baseline", "baseline", "false_sad_angry_without"),
        ("with a baseline", "baseline", "false_sad_angry_with"),
        ("real sad or angry faces shown so, no baseline", "baseline", "real_sad_angry_without"),
        ("with a baseline", "baseline", "real_sad_angry_with"),
    ):
        rows.append([name, *(result[part][key] for result in results)])
    head = ["", *(result["detector"] for result in results)]
    return f"{measured_on(results[-1])}\n\n{table(head, rows)}"


RENDERERS: dict[str, Callable[[list[Result]], str]] = {
    "bench": of_bench,
    "versus_fer": of_versus_fer,
    "memory_10000": of_memory,
    "video_speed": of_video_speed,
    "label_stability": of_label_stability,
}


def targets(found: dict[str, list[Result]]) -> str:
    """What the project asks of itself beside what was measured."""
    rows = []
    for name, unit, limit, at_most, value in _figures(found):
        kept = value <= limit if at_most else value >= limit
        word = "at most" if at_most else "at least"
        goal = f"{word} {limit:g} {unit}".strip()
        rows.append([name, goal, f"{value:.2f}", "yes" if kept else "**no**"])
    return table(["", "target", "measured", "met"], rows)


def _figures(found: dict[str, list[Result]]) -> list[tuple[str, str, float, bool, float]]:
    """Name, unit, limit, whether the limit is the most, measured value."""
    figures: list[tuple[str, str, float, bool, float]] = []
    for result in found.get("versus_fer", [])[-1:]:
        rows = {row["name"]: row for row in result["results"]}
        fer = rows.get("fer:default", {}).get("median_ms")
        for detector in ("moodlens", "yunet"):
            row = rows.get(f"analyze:{detector}")
            if row is None:
                continue
            if fer is not None:
                share = row["median_ms"] / fer
                figures.append((f"a frame, {detector}: of `fer`'s time", "", 0.1, True, share))
            if "times_the_floor" in row:
                ratio = row["times_the_floor"]
                figures.append((f"a frame, {detector}: of the bare calls", "", 1.3, True, ratio))
        if "stream:haar" in rows:
            time = rows["stream:haar"]["median_ms"]
            figures.append(("a frame of a stream, haar", "ms", 12, True, time))
    for result in found.get("bench", []):
        usual = {
            (row["detector"], row["faces"]): row
            for row in result["frames"]
            if (row["width"], row["height"], row["threads"]) == (640, 480, 1)
        }
        for detector in dict.fromkeys(name for name, _ in usual):
            one, ten = usual.get((detector, 1)), usual.get((detector, 10))
            for key, way in (("whole_ms", "alone"), ("stream_ms", "on a stream")):
                if one and ten:
                    name = f"ten faces of one face's time, {detector}, {way}"
                    figures.append((name, "", 3, True, ten[key] / one[key]))
        for row in result["start"]:
            name = f"cold start to the first result, {row['detector']}"
            figures.append((name, "s", 1.0, True, row["cold_start_s"]))
    for result in found.get("video_speed", []):
        name = f"a video file, {result['detector']}, two cores"
        figures.append((name, "frames/s", 150, False, result["decode_and_analyse_per_s"]))
    for result in found.get("memory_10000", []):
        name = f"{result['frames']:,} frames, {result['detector']}"
        figures.append((f"{name}: growth", "MiB", 5, True, result["growth_mib"]))
        figures.append((f"{name}: resident", "MiB", 200, True, result["end_mib"]))
    for result in found.get("label_stability", []):
        name, flips, switch = result["detector"], result["flips"], result["switch"]
        share = flips["displayed_of_raw"]
        figures.append(
            (f"displayed of raw label changes, {name}", "", round(1 / 3, 3), True, share)
        )
        slow = float("inf") if switch["p95_ms"] is None else switch["p95_ms"]
        figures.append((f"a switch shows, 95 % within, {name}", "ms", 250, True, slow))
    return figures


def fill(text: str, name: str, block: str) -> str:
    """The text with another block in the named place.

    Raises:
        ValueError: there is no such place, or more than one.
    """
    pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    filled, count = pattern.subn(lambda found: f"{found[1]}{block}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"expected one place named {name}, found {count}")
    return filled


def main() -> None:
    """Read the results, fill the places."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=Path, help="JSON files of the benchmarks")
    parser.add_argument("--write", type=Path, help="the document; default: print the blocks")
    options = parser.parse_args()
    found: dict[str, list[Result]] = {}
    for path in options.results:
        result = json.loads(path.read_text(encoding="utf-8"))
        if result.get("benchmark") not in RENDERERS:
            parser.error(f"{path}: not the result of one of {', '.join(RENDERERS)}")
        if result.get("quick"):
            parser.error(f"{path}: a quick look is no measurement; run it without --quick")
        found.setdefault(result["benchmark"], []).append(result)
    blocks = {name: RENDERERS[name](results) for name, results in found.items()}
    blocks["targets"] = targets(found)
    if options.write is None:
        print("\n\n".join(blocks.values()))
        return
    text = options.write.read_text(encoding="utf-8")
    for name, block in blocks.items():
        text = fill(text, name, block)
    options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
