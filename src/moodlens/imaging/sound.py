"""The sound of one file carried over into another, packet by packet as the picture grows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_log = logging.getLogger("moodlens")

COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
"""What every player takes in an MP4 file as it is; the rest is encoded again as AAC."""


class Sound:
    """The first sound track of a file, on its way into an open output container.

    Use `open`; a file without sound gives None.
    """

    def __init__(self, source: Any, track: Any, output: Any, start_s: float) -> None:
        self._source = source
        self._start_s = start_s
        self._output = output
        self._copied = track.codec_context.name in COPIED_CODECS
        if self._copied:
            self.stream = output.add_stream_from_template(track)
        else:
            self.stream = output.add_stream("aac", rate=track.codec_context.sample_rate)
            self.stream.layout = "mono" if track.codec_context.channels == 1 else "stereo"
        self._packets = self._copies(track) if self._copied else self._encoded(track)
        self._next: Any = None

    @classmethod
    def open(cls, path: Path, output: Any, start_s: float) -> Sound | None:
        """The sound of a file from a time on, or None with a warning when it can't be had.

        Args:
            path: the file whose sound to keep.
            output: PyAV container that is being written, before its header is.
            start_s: time in the file that becomes 0 in the output.
        """
        import av

        source: Any = None
        try:
            source = av.open(str(path))
            if source.streams.audio:
                return cls(source, source.streams.audio[0], output, start_s)
        except (av.FFmpegError, OSError, ValueError) as error:
            _log.warning("%s: the sound can't be kept: %s", path, error)
        if source is not None:
            source.close()
        return None

    def write_until(self, time_s: float) -> None:
        """Mux what sounds before a time of the output, so that picture and sound interleave."""
        while True:
            packet = self._next if self._next is not None else next(self._packets, None)
            self._next = packet
            if packet is None or float(packet.pts * packet.time_base) >= time_s:
                return
            self._next = None
            self._output.mux(packet)

    def close(self) -> None:
        """Let the source go."""
        self._source.close()

    def _copies(self, track: Any) -> Iterator[Any]:
        shift = round(self._start_s / track.time_base)
        for packet in self._demuxed(track):
            if packet.pts is None or packet.pts < shift:
                continue
            packet.pts -= shift
            if packet.dts is not None:
                packet.dts -= shift
            packet.stream = self.stream
            yield packet

    def _encoded(self, track: Any) -> Iterator[Any]:
        import av

        codec = self.stream.codec_context
        resampler = av.AudioResampler("fltp", codec.layout, codec.sample_rate)
        samples = 0
        for packet in self._demuxed(track):
            for frame in packet.decode():
                if frame.time is None or frame.time < self._start_s:
                    continue
                for part in resampler.resample(frame):
                    part.pts, samples = samples, samples + part.samples
                    yield from self.stream.encode(part)
        yield from self.stream.encode(None)

    def _demuxed(self, track: Any) -> Iterator[Any]:
        import av

        try:
            for packet in self._source.demux(track):
                if packet.dts is not None:
                    yield packet
        except av.FFmpegError as error:  # a damaged end costs the rest of the sound, no more
            _log.warning("%s: the sound ends early: %s", self._source.name, error)
