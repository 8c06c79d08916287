"""Any picture file becomes (height, width, 3) BGR uint8, upright."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from moodlens.errors import ImageError
from moodlens.settings import settings


def load_image(
    source: str | Path | bytes, *, max_pixels: int | None = None, name: str | None = None
) -> NDArray[np.uint8]:
    """Read a picture: EXIF orientation, alpha (over white), palette, CMYK, 16 bit, animation.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: refuse pictures with more, before they are decoded; None: the setting.
        name: what messages call the picture; default: the path, or "picture".

    Returns:
        (height, width, 3) uint8, blue, green, red. Of an animation, the first frame.

    Raises:
        ImageError: not there, empty, not a picture, damaged, or too large.
    """
    limit = settings().max_pixels if max_pixels is None else max_pixels
    if isinstance(source, bytes):
        name, data = name or "picture", source
    else:
        name = name or str(source)
        data = _read(Path(source))
    if not data:
        raise ImageError(f"{name}: the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                width, height = picture.size
                if width * height > limit:
                    raise ImageError(
                        f"{name}: {width}x{height} is {width * height / 1e6:.0f} million pixels; "
                        f"at most {limit / 1e6:.0f} million are read (MOODLENS_MAX_PIXELS)"
                    )
                return _to_bgr(ImageOps.exif_transpose(picture))
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(
            f"{name}: the picture is far too large; "
            f"at most {limit / 1e6:.0f} million pixels are read (MOODLENS_MAX_PIXELS)"
        ) from None
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not a picture ({_looks_like(data)})") from None
    except Exception as error:  # Pillow's readers raise many kinds on damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageError(f"{name}: the picture is damaged: {reason}") from error


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise ImageError(f"{path}: a folder, not a picture")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except OSError as error:
        raise ImageError(f"{path}: can't be read: {error.strerror or error}") from error


def _to_bgr(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, dtype=np.float64)
        # Whole numbers are 16 bit deep; real ones have no agreed white, so the brightest is it.
        top = 65535.0 if picture.mode != "F" else max(float(values.max()), 1.0)
        gray = np.clip(values / top * 255.0 + 0.5, 0, 255).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=2)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        with_alpha = picture.convert("RGBA")
        paper = Image.new("RGBA", with_alpha.size, "white")
        picture = Image.alpha_composite(paper, with_alpha)
    rgb = np.asarray(picture.convert("RGB"))
    return np.ascontiguousarray(rgb[..., ::-1])


def _looks_like(data: bytes) -> str:
    start = data[:512].lstrip().lower()
    if start.startswith(b"%pdf"):
        return "it is a PDF"
    if start.startswith((b"<!doctype", b"<html")):
        return "it is a web page"
    if data[4:8] == b"ftyp":
        return "it is a video or a HEIF picture"
    return "its bytes are of no known picture format"
