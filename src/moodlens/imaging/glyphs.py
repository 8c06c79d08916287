"""Small pictures for labels: text, emoji, rounded chips. Each is rendered once and kept."""

from __future__ import annotations

from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from moodlens.emotions import STYLES, Emotion

_EMOJI_FONTS = (("NotoColorEmoji.ttf", 109), ("Apple Color Emoji.ttc", 160), ("seguiemj.ttf", 109))
"""File name and the size its pictures are stored at; Pillow looks in the system's font folders."""
_CANVAS = 256
_SKIN, _LINE = "#FFD34E", "#4A3420"
Sprite = NDArray[np.uint8]


@lru_cache(maxsize=512)
def text_mask(text: str, px: int) -> Sprite:
    """(h, w) uint8 cover of a line of text, 255 where it is ink.

    All lines of a size have the same height and baseline. The font comes with Pillow.
    """
    font = ImageFont.load_default(px)
    up, down = font.getmetrics() if isinstance(font, ImageFont.FreeTypeFont) else (px, 0)
    width = max(1, int(np.ceil(font.getlength(text))))
    picture = Image.new("L", (width, up + down))
    ImageDraw.Draw(picture).text((0, 0), text, fill=255, font=font)
    return np.asarray(picture, np.uint8)


@lru_cache(maxsize=64)
def emoji_sprite(emotion: Emotion, px: int) -> tuple[Sprite, Sprite]:
    """(px, px, 3) BGR and (px, px) cover of the emotion's face."""
    large = _emoji_large(emotion)
    small = large.resize((px, px), Image.Resampling.LANCZOS, reducing_gap=3.0)
    pixels = np.asarray(small, np.uint8)
    return np.ascontiguousarray(pixels[..., 2::-1]), np.ascontiguousarray(pixels[..., 3])


@lru_cache(maxsize=256)
def chip_mask(height: int, width: int, radius: int) -> Sprite:
    """(height, width) cover of a rectangle with round corners."""
    mask = np.zeros((height, width), np.uint8)
    r = min(radius, height // 2, width // 2)
    cv2.rectangle(mask, (r, 0), (width - 1 - r, height - 1), 255, -1)
    cv2.rectangle(mask, (0, r), (width - 1, height - 1 - r), 255, -1)
    for x in (r, width - 1 - r):
        for y in (r, height - 1 - r):
            cv2.circle(mask, (x, y), r, 255, -1, cv2.LINE_AA)
    return mask


@cache
def _emoji_large(emotion: Emotion) -> Image.Image:
    found = _from_font(STYLES[emotion].emoji)
    return drawn_face(emotion) if found is None else found


def _from_font(character: str) -> Image.Image | None:
    """The emoji in colour, cut to its edges; None where no font has it: never an empty box."""
    for name, size in _EMOJI_FONTS:
        picture = Image.new("RGBA", (2 * size, 2 * size))
        try:
            font = ImageFont.truetype(name, size)
            ImageDraw.Draw(picture).text((8, 8), character, font=font, embedded_color=True)
        except OSError:
            continue
        edges = picture.getchannel("A").getbbox()
        if edges is None:
            continue
        cut = picture.crop(edges)
        rgb = np.asarray(cut.convert("RGB"), np.int16)
        if np.ptp(rgb, axis=2).max() > 60:  # a font without colours draws in one gray
            return _squared(cut)
    return None


def _squared(picture: Image.Image) -> Image.Image:
    side = max(picture.size)
    square = Image.new("RGBA", (side, side))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return square


def drawn_face(emotion: Emotion) -> Image.Image:
    """A face drawn here, for machines without an emoji font: (256, 256) RGBA."""
    picture = Image.new("RGBA", (_CANVAS, _CANVAS))
    pen = ImageDraw.Draw(picture)
    skin = "#9CCC52" if emotion == "disgust" else _SKIN
    pen.ellipse((4, 4, 252, 252), fill=skin, outline="#B37A00", width=6)
    wide = 22 if emotion in ("surprise", "fear") else 15
    for x in (86, 170):
        pen.ellipse((x - wide * 0.8, 100 - wide, x + wide * 0.8, 100 + wide), fill=_LINE)
    if emotion == "happy":
        pen.chord((64, 96, 192, 216), 0, 180, fill=_LINE)
    elif emotion == "surprise":
        pen.ellipse((104, 150, 152, 216), fill=_LINE)
    elif emotion == "neutral":
        pen.line((84, 180, 172, 180), fill=_LINE, width=13)
    elif emotion == "disgust":
        points = [(76, 186), (102, 170), (128, 190), (154, 170), (180, 186)]
        pen.line(points, fill=_LINE, width=13, joint="curve")
    else:  # angry, fear, sad: the corners of the mouth hang
        pen.arc((80, 158, 176, 238), 200, 340, fill=_LINE, width=13)
    if emotion == "angry":
        pen.line((54, 62, 108, 84), fill=_LINE, width=13)
        pen.line((202, 62, 148, 84), fill=_LINE, width=13)
    elif emotion in ("fear", "sad"):
        pen.line((56, 76, 104, 56), fill=_LINE, width=11)
        pen.line((200, 76, 152, 56), fill=_LINE, width=11)
    if emotion == "sad":
        pen.ellipse((70, 124, 98, 168), fill="#4FA8E0")
    return picture
