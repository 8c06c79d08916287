"""What `/metrics` tells: one registry for each app, in Prometheus' names and units."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STEPS = ("decode", "detect", "classify")


class Measures:
    """The counters of one app."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "moodlens_requests", "Answered", ["method", "route", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "moodlens_request_seconds",
            "From the first byte to the answer",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.steps = Histogram(
            "moodlens_step_seconds",
            "Of one picture; classify holds the wait for others to join the batch",
            ["step"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.faces = Counter("moodlens_faces", "Found", registry=self.registry)
        self.pictures = Counter(
            "moodlens_pictures", "Judged or refused", ["result"], registry=self.registry
        )
        self.batches = Histogram(
            "moodlens_batch_faces",
            "Faces in one call of the network",
            buckets=(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64),
            registry=self.registry,
        )
        self.depth = Gauge("moodlens_queue_depth", "Pictures in work", registry=self.registry)
        self.streams = Gauge("moodlens_streams", "WebSockets that are open", registry=self.registry)
        self.frames = Counter(
            "moodlens_stream_frames", "Of all streams", ["result"], registry=self.registry
        )
        self.rejected = Counter(
            "moodlens_rejected", "Requests refused, and why", ["reason"], registry=self.registry
        )
        for step in STEPS:
            self.steps.labels(step)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step of a picture."""
        started = perf_counter()
        try:
            yield
        finally:
            self.steps.labels(name).observe(perf_counter() - started)

    def text(self) -> bytes:
        """In the exposition format."""
        return bytes(generate_latest(self.registry))
