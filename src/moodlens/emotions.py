"""The seven emotions: their order, colour, emoji and place on the valence/arousal plane.

The order is the contract of every array of scores in the project: index i of a row of
probabilities is `EMOTIONS[i]`.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

Emotion = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]

EMOTIONS: Final[tuple[Emotion, ...]] = get_args(Emotion)
"""The labels, in the order of FER2013 (Goodfellow et al. 2013)."""


class EmotionStyle(NamedTuple):
    """How an emotion is shown and where it lies.

    Attributes:
        emoji: one character that names the emotion at a glance.
        hex_color: `#rrggbb`, from Okabe and Ito's palette, which colour-blind people can tell
            apart (Color Universal Design, 2008).
        valence: unpleasant to pleasant, in [-1, 1].
        arousal: calm to excited, in [-1, 1].
    """

    emoji: str
    hex_color: str
    valence: float
    arousal: float

    @property
    def bgr(self) -> tuple[int, int, int]:
        """The colour as OpenCV draws it: blue, green, red in 0..255."""
        value = int(self.hex_color[1:], 16)
        return value & 255, value >> 8 & 255, value >> 16


# Valence and arousal: the places of the categories on Russell's circumplex (Russell 1980,
# "A circumplex model of affect", J. Pers. Soc. Psychol. 39(6); the terms angry, afraid, happy,
# sad, astonished), rounded to a twentieth on the unit circle; disgust, which Russell did not
# scale, as in Russell and Mehrabian 1977 ("Evidence for a three-factor theory of emotions",
# pleasure -0.60, arousal 0.35). Neutral is the origin.
STYLES: Final[dict[Emotion, EmotionStyle]] = {
    "angry": EmotionStyle("😠", "#D55E00", -0.45, 0.80),
    "disgust": EmotionStyle("🤢", "#009E73", -0.60, 0.35),
    "fear": EmotionStyle("😨", "#CC79A7", -0.60, 0.75),
    "happy": EmotionStyle("😀", "#F0E442", 0.90, 0.15),
    "sad": EmotionStyle("😢", "#0072B2", -0.85, -0.40),
    "surprise": EmotionStyle("😮", "#E69F00", 0.40, 0.85),
    "neutral": EmotionStyle("😐", "#999999", 0.00, 0.00),
}
