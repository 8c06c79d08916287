"""Any picture becomes upright BGR; anything else is one clear line."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from moodlens.errors import ImageError
from moodlens.imaging import load_image

RED = (0, 0, 255)  # as BGR


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def two_halves(mode: str = "RGB") -> Image.Image:
    """Left half red, right half white, 40x20."""
    image = Image.new("RGB", (40, 20), "white")
    image.paste("red", (0, 0, 20, 20))
    return image.convert(mode)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_common_formats(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    frame = load_image(encode(two_halves(), kind, **options))
    assert frame.shape == (20, 40, 3)
    assert frame.dtype == np.uint8
    assert np.abs(frame[10, 5].astype(int) - RED).max() < 12
    assert frame[10, 35].min() > 240


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to show
    frame = load_image(encode(two_halves(), "JPEG", exif=exif, quality=95))
    assert frame.shape == (40, 20, 3)
    assert np.abs(frame[5, 10].astype(int) - RED).max() < 20


def test_transparent_pixels_lie_on_white() -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert np.all(load_image(encode(image, "PNG")) == 255)


@pytest.mark.parametrize("mode", ["P", "L", "LA", "CMYK", "1"])
def test_other_colour_modes(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    frame = load_image(encode(two_halves(mode), kind))
    assert frame.shape == (20, 40, 3)
    assert frame[10, 35].min() > 240
    assert frame[:, :18].mean() < 180


def test_sixteen_bits_are_scaled_and_not_cut() -> None:
    values = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    frame = load_image(cv2.imencode(".png", values)[1].tobytes())
    assert np.abs(frame[..., 0].astype(int) - values // 257).max() <= 1


def test_of_an_animation_the_first_frame() -> None:
    first, second = Image.new("RGB", (9, 9), "red"), Image.new("RGB", (9, 9), "blue")
    data = encode(first, "GIF", save_all=True, append_images=[second])
    assert tuple(load_image(data)[4, 4]) == RED


def test_one_pixel_is_a_picture() -> None:
    assert load_image(encode(Image.new("RGB", (1, 1), "red"), "PNG")).shape == (1, 1, 3)


def huge_png(side: int) -> bytes:
    """A header that promises side x side pixels, and no more than that."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@pytest.mark.parametrize("side", [12_000, 20_000])
def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png(side))
    with pytest.raises(ImageError, match=r"huge\.png.*(million pixels)"):
        load_image(path)


def bad_files() -> dict[str, tuple[bytes, str]]:
    jpeg = encode(Image.effect_noise((200, 200), 90).convert("RGB"), "JPEG")
    png = encode(Image.effect_noise((200, 200), 90), "PNG")
    return {
        "empty.jpg": (b"", "empty"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "damaged"),
        "cut.png": (png[: len(png) // 2], "damaged"),
        "paper.png": (b"%PDF-1.7\n" + b"x" * 400, "PDF"),
        "page.jpg": (b"<!DOCTYPE html><html></html>", "web page"),
        "noise.png": (bytes(range(256)) * 4, "not a picture"),
    }


@pytest.mark.parametrize("name", list(bad_files()))
def test_bad_files_are_one_clear_line_with_the_path(tmp_path: Path, name: str) -> None:
    data, word = bad_files()[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ImageError, match=word) as caught:
        load_image(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_paths_and_folders(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        load_image(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="folder"):
        load_image(tmp_path)
