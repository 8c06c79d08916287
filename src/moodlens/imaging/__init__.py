"""Pictures and frames: decoding, sources, drawing."""

from moodlens.imaging.decode import load_image

__all__ = ["load_image"]
